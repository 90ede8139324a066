// Job that loses one of five datanodes midway: the extra time, and that the output is equal. Word count over 1 GiB, real processes with
// host names of their own, default timeouts. Each round runs the job without and with the loss, so that other load on the machine affects
// both; the ratio is that of the medians.

import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { connect, type Mill } from 'gristmill'
import type { JobStatus } from '../../src/protocol/job.ts'
import { startCluster, until } from '../kit/cluster.ts'
import { text } from './data.ts'

const quick = process.argv.includes('--quick')
const bytes = (quick ? 256 : 1024) * 2 ** 20
const rounds = quick ? 1 : 3
const limit = 1.25
const program = join(import.meta.dirname, 'programs/wordcount.ts')
const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!

await using cluster = await startCluster({
  datanodes: 5, hosts: ['h1', 'h2', 'h3', 'h4', 'h5'],
  settings: { GRISTMILL_SLOTS: '1', GRISTMILL_MEMORY: '512MiB' },
})
Object.assign(process.env, cluster.env)
await using mill = await connect(`gristmill://${cluster.namenode.address}`, { hostName: 'elsewhere' })
await mill.put(text(bytes), '/text', { format: 'lines', replication: 3, blockSize: 16 * 2 ** 20 })

/** Runs the job; `onMidway` is called once, when half of it is done. */
async function timed(output: string, onMidway?: () => void): Promise<{ ms: number; status: JobStatus }> {
  const started = performance.now()
  const job = await mill.run(program, { input: '/text', output, reducers: 5 })
  let midway = false
  const status = await job.wait({
    onStatus: ({ stages }) => {
      const [maps] = stages
      if (midway || !maps || maps.done < maps.tasks / 2) return
      midway = true
      onMidway?.()
    },
  })
  return { ms: performance.now() - started, status }
}

async function digest(of: Mill, output: string): Promise<string> {
  const hash = createHash('sha256')
  for (const name of (await of.readdir(output)).filter(part => part.startsWith('part-')).sort())
    hash.update(name).update(await of.readFile(`${output}/${name}`))
  return hash.digest('hex')
}

await timed('/warm')
const want = await digest(mill, '/warm')
const whole: number[] = []
const lossy: number[] = []
for (let round = 1; round <= rounds; round++) {
  const one = await timed(`/whole-${round}`)
  const victim = cluster.datanodes[round % cluster.datanodes.length]!
  let killed: Promise<void> | undefined
  const other = await timed(`/lossy-${round}`, () => { killed = victim.kill() })
  await killed
  const same = await digest(mill, `/lossy-${round}`) === want && await digest(mill, `/whole-${round}`) === want
  if (!same) throw new Error('the output differs from that of a run without a loss')
  const lost = other.status.stages.reduce((sum, { failedAttempts }) => sum + failedAttempts, 0)
  whole.push(one.ms)
  lossy.push(other.ms)
  console.log(
    `round ${round}: ${(one.ms / 1000).toFixed(1)} s whole, ${(other.ms / 1000).toFixed(1)} s with the loss of a datanode midway ` +
    `(${(other.ms / one.ms).toFixed(2)}); same output, ${lost} failed attempts`,
  )
  await victim.start()
  await until('the cluster to be whole again', async () => {
    const { underReplicated, pendingReplications, missing, nodes } = await mill.clusterStatus()
    return underReplicated + pendingReplications + missing === 0 && nodes.every(({ state }) => state === 'live')
  }, 120_000)
}
const ratio = median(lossy) / median(whole)
console.log(
  `the loss of one of five datanodes midway: ${ratio.toFixed(2)} times as long   limit ${limit}   ${ratio <= limit ? 'held' : 'MISSED'}`,
)
if (ratio > limit) process.exitCode = 1
