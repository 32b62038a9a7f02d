/** Asks so often, with so many questions under way at a time, a tenth of them before the clock starts; prints the time. */
export async function time(calls, inFlight, question) {
  const ask = async (times) => {
    let left = times
    const one = async () => {
      while (left-- > 0) await question()
    }
    await Promise.all(Array.from({ length: inFlight }, one))
  }
  await ask(Math.ceil(calls / 10))
  const start = performance.now()
  await ask(calls)
  console.log(JSON.stringify({ items: calls, seconds: (performance.now() - start) / 1000 }))
  process.exit(0)
}

/** Whether a reply is that of the benches' nodes, by its length and one of its samples. */
export function isReply({ data: { x }, timeline: { t } }, n) {
  const row = Math.floor(n / 2)
  return x.length === n && x[row] === Math.sin(row) && t.t[row] === 1.7e9 + row / 10
}
