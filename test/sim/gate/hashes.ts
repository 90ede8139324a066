// Prints a line for each seed: the hash of its trace, and its outcome. The gate runs it in separate processes.
//
//   node test/sim/gate/hashes.ts FROM COUNT TURNS

import { planOf } from '../plan.ts'
import { runSimulated } from '../simulated.ts'

const [from = 1, count = 1, turns = 3] = process.argv.slice(2).map(Number)
for (let seed = from; seed < from + count; seed++) {
  const { hash, events, virtualMs, outcome } = await runSimulated(planOf({ seed }), { turns })
  console.log(
    `${seed} ${hash} ${events} events ${virtualMs.toFixed(6)} ms ${outcome.ops} calls ${outcome.acknowledged} acknowledged ${outcome.findings.length} findings`,
  )
}
