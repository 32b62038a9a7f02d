/**
 * Times of a batch, ns since 1970, as sisock has them: the doubles nearest to the seconds, as `nsToSeconds` gives them, but
 * for a whole column at once. A time that is not known is NaN.
 */
export function secondsOf(time: BigInt64Array): Float64Array {
  const halves = new Int32Array(time.buffer, time.byteOffset, time.length * 2)
  const seconds = new Float64Array(time.length)
  for (let row = 0; row < time.length; row++) {
    const [low, high] = [halves[2 * row] as number, halves[2 * row + 1] as number]
    if (high === -0x8000_0000 && low === 0) {
      seconds[row] = Number.NaN
      continue
    }
    const estimate = high * 0x1_0000_0000 + (low >>> 0)
    if (Math.abs(estimate) <= Number.MAX_SAFE_INTEGER) {
      seconds[row] = estimate / 1e9
      continue
    }
    let whole = Math.floor(estimate / 1e9)
    // The rest is below 10^9 and so known by its low 32 bits; the estimate of the whole may be one off.
    let rest = (low - Math.imul(whole, 1e9)) | 0
    if (rest < 0) {
      whole--
      rest += 1e9
    } else if (rest >= 1e9) {
      whole++
      rest -= 1e9
    }
    seconds[row] = whole + rest / 1e9
  }
  return seconds
}
