// Load during a soak: workers that write, read, rename and remove files of their own, and one that runs jobs. Every reply goes into the
// ledger; a reply that contradicts it is a finding, which fails the soak.

import type { Mill } from '../../client/mill.ts'
import type { Random } from '../../src/ports/random.ts'
import { lookAt } from './compare.ts'
import { contentOf, type Ledger, type State } from './ledger.ts'

export interface Counts { [operation: string]: number }

export interface WorkOptions {
  readonly mill: Mill
  readonly ledger: Ledger
  readonly random: Random
  readonly counts: Counts
  readonly findings: string[]
  readonly signal: AbortSignal
  /** Error messages of calls without a reply, once each. */
  readonly reasons: Set<string>
}

const filesMax = 20
export const replication = 3
const bytesMax = 1_500_000
/** Longer than any fault lasts. */
const callMs = 90_000
let seeds = 0

const count = (counts: Counts, what: string, by = 1): void => { counts[what] = (counts[what] ?? 0) + by }

export async function fileWorker(name: string, { mill, ledger, random, counts, findings, signal, reasons }: WorkOptions): Promise<void> {
  const path = (): string => `/soak/${name}/${random.below(filesMax)}`
  const within = (): AbortSignal => AbortSignal.timeout(callMs)
  /** Records the outcome: acknowledged, or (after an error) either state. */
  const change = async (what: string, work: () => Promise<unknown>, edits: readonly (readonly [string, State])[]): Promise<void> => {
    try {
      await work()
      for (const [at, state] of edits) ledger.is(at, state)
      count(counts, what)
    } catch (error) {
      if (signal.aborted && !(error instanceof Error)) throw error
      for (const [at, state] of edits) ledger.maybe(at, state)
      count(counts, `${what} without an answer: ${(error as { code?: string }).code ?? (error as Error).name}`)
      reasons.add(`${what}: ${(error as Error).message.replaceAll(/[0-9a-f]{16}|\d+/g, '…')}`)
    }
  }
  const read = async (at: string): Promise<boolean> => {
    let found
    try {
      found = await lookAt(mill, at, { signal: within() })
    } catch {
      // Unknown for now.
      count(counts, 'reads that failed')
      return false
    }
    count(counts, 'reads')
    count(counts, 'bytes read', found?.bytes.length ?? 0)
    const wrong = ledger.seen(at, found)
    if (wrong !== undefined) findings.push(wrong)
    return wrong === undefined
  }
  while (!signal.aborted) {
    const at = path()
    // An unknown state is resolved by a read before the path is used again.
    if (ledger.at(at).length > 1 && !await read(at)) continue
    const [there] = ledger.at(at)
    const choice = random.below(11)
    if (choice < 4) {
      const state = { seed: ++seeds, bytes: 1 + random.below(random.below(4) === 0 ? bytesMax : 100_000), replication }
      await change('writes', () => mill.writeFile(at, contentOf(state), { replication, signal: within() }), [[at, state]])
      count(counts, 'bytes written', state.bytes)
    } else if (choice < 7 || !there) {
      await read(at)
    } else if (choice < 9) {
      const to = path()
      if (to === at || (ledger.at(to).length > 1 && !await read(to)) || ledger.at(to)[0]) continue
      await change('renames', () => mill.rename(at, to, { signal: within() }), [[at, undefined], [to, there]])
    } else if (choice < 10) {
      const state = { ...there, replication: there.replication === replication ? replication - 1 : replication }
      await change('changes of replication', () => mill.setReplication(at, state.replication, { signal: within() }), [[at, state]])
    } else {
      await change('removes', () => mill.rm(at, { skipTrash: true, signal: within() }), [[at, undefined]])
    }
  }
}

/**
 * Runs one job after the other; each output must equal the expected one, of a run without faults. No fault lasts long enough to
 * justify a failed job: each failure is a finding, except for a job cut off by the end of the soak.
 */
export async function jobWorker(
  program: string, expected: string,
  { mill, counts, findings, signal }: Omit<WorkOptions, 'ledger' | 'random' | 'reasons'>,
): Promise<void> {
  for (let n = 1; !signal.aborted; n++) {
    const output = `/soak-jobs/${n}`
    const began = performance.now()
    let id = ''
    try {
      const job = await mill.run(program, { input: '/soak-input', output, reducers: 2, signal: AbortSignal.timeout(callMs * 2) })
      id = job.id
      await job.wait({ signal: AbortSignal.timeout(callMs * 2) })
      const found = await outputOf(mill, output)
      count(counts, 'jobs')
      if (found !== expected) findings.push(`the output of job ${job.id} differs from that of a run without faults`)
      await mill.rm(output, { recursive: true, skipTrash: true })
    } catch (error) {
      count(counts, 'jobs that failed')
      const { code = (error as Error).name, message } = error as { code?: string; message: string }
      findings.push(
        `job ${id === '' ? `number ${n}, not yet accepted,` : id} failed after ${Math.round(performance.now() - began)} ms: ` +
        `${code}: ${message}`,
      )
    }
  }
}

export async function outputOf(mill: Mill, output: string): Promise<string> {
  const parts = (await mill.readdir(output)).filter(name => name.startsWith('part-')).sort()
  return (await Promise.all(parts.map(name => mill.readFile(`${output}/${name}`, 'utf8')))).join('')
}
