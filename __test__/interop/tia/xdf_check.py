"""Opens XDF files by pyxdf and checks the synthetic formula of `measurand serve tia` in every sample.

xdf_check.py FILE CHANNELS FRAMES RATE [damaged]: clocks synchronised give the same times; of a damaged file, what lies
behind the next boundary is read.
"""
import sys

import numpy
import pyxdf

path = sys.argv[1]
channels, frames, rate = map(int, sys.argv[2:5])


def load(**options):
    streams, _ = pyxdf.load_xdf(path, dejitter_timestamps=False, **options)
    (stream,) = streams
    return stream


def expected(n):
    k = numpy.arange(channels)
    return (1000 * (k % 4000) + 0.25 * (n[:, None] % 4000)).astype(numpy.float32)


stream = load(synchronize_clocks=True)
data, times = stream['time_series'], stream['time_stamps']
assert data.dtype == numpy.float32, data.dtype
if sys.argv[5:] == ['damaged']:
    assert len(data) < frames, data.shape
    # The damage itself is all NaN.
    data = data[numpy.isfinite(data).all(axis=1)]
    assert len(data) > frames / 3, data.shape
    n = numpy.rint(data[:, 0] / 0.25).astype(int)
    assert n[-1] == frames - 1 and (numpy.diff(n) >= 1).all()
    assert (data == expected(n)).all()
else:
    assert data.shape == (frames, channels), data.shape
    assert (data == expected(numpy.arange(frames))).all()
    raw = load(synchronize_clocks=False)
    assert (times == raw['time_stamps']).all() and (data == raw['time_series']).all()
    clock_times = stream['clock_times']
    assert len(clock_times) >= frames / rate / 5 and (numpy.diff(clock_times) > 0).all(), clock_times
    assert times[0] <= clock_times[0] and clock_times[-1] == times[-1]
    assert abs((times - times[0]) - numpy.arange(frames) / rate).max() < 3e-6
labels = [c['label'][0] for c in stream['info']['desc'][0]['channels'][0]['channel']]
assert labels == ['channel%d' % (i + 1) for i in range(channels)], labels
assert float(stream['info']['nominal_srate'][0]) == rate
print('OK', data.shape)
