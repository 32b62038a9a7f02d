"""Opens an XDF file by pyxdf and checks the synthetic formula of `measurand serve tia` in every sample."""
import sys

import numpy
import pyxdf

streams, _ = pyxdf.load_xdf(sys.argv[1], dejitter_timestamps=False)
channels, frames, rate = map(int, sys.argv[2:5])
(stream,) = streams
data, times = stream['time_series'], stream['time_stamps']
assert data.shape == (frames, channels), data.shape
assert data.dtype == numpy.float32, data.dtype
k, n = numpy.meshgrid(numpy.arange(channels), numpy.arange(frames))
assert (data == (1000 * (k % 4000) + 0.25 * (n % 4000)).astype(numpy.float32)).all()
assert abs((times - times[0]) - numpy.arange(frames) / rate).max() < 3e-6
labels = [c['label'][0] for c in stream['info']['desc'][0]['channels'][0]['channel']]
assert labels == ['channel%d' % (i + 1) for i in range(channels)], labels
assert float(stream['info']['nominal_srate'][0]) == rate
print('OK', data.shape)
