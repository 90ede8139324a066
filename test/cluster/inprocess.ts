// Runs the command line in this process, for tests that do not depend on a separate process: arguments, environment and stdin in; exit
// code and output out. It opens and closes the cluster each time, as a process does, and takes a tenth of a process's time.

import { PassThrough, Writable } from 'node:stream'
import { loadWorld, openMill } from '../../client/cli/bootstrap.ts'
import { Printer } from '../../client/cli/printer.ts'
import { runWords } from '../../client/cli/session.ts'
import { readSettings } from '../../client/discovery/readsettings.ts'
import { openEmbedded } from '../../client/embedded/open.ts'
import type { Mill } from '../../client/mill.ts'
import { version } from '../../src/base/version.ts'
import type { Machine } from '../../src/ports/machine.ts'
import { localDisk } from '../../src/world/disk.ts'
import { localMachine } from '../../src/world/machine.ts'
import { run, startCluster, type ClusterOptions, type Result, type TestCluster } from '../kit/cluster.ts'
import { bundledProcesses } from '../tidy/bundled.ts'

/** Time after which a command counts as stuck: several times that of the longest one on a busy machine. */
const stuckMs = 150_000
const describedMax = 20_000

/** Commands that own their process: servers, and what starts, ends or rebuilds them. */
const owners = new Set(['namenode', 'datanode', 'gateway', 'serve', 'up', 'down'])

/** Runs a command with exactly this environment: `run` of the kit, without the process. */
export async function runHere(
  words: readonly string[], env: Readonly<Record<string, string>>, input: string | Buffer = '',
): Promise<Result> {
  if (owners.has(words[0] ?? '')) return run(words, env, input)
  const texts = { stdout: '', stderr: '' }
  const sink = (name: 'stdout' | 'stderr') => {
    const decoder = new TextDecoder()
    return new Writable({ write(chunk: Buffer, _encoding, done) { texts[name] += decoder.decode(chunk, { stream: true }); done() } })
  }
  const ending = new AbortController()
  const stdin = new PassThrough()
  stdin.end(input)
  const printer = new Printer({ stdin, stdout: sink('stdout'), stderr: sink('stderr') } as never, env)
  const machine: Machine = Object.create(localMachine, { environment: { value: env }, userDirectory: { value: env['HOME'] } })
  const late = setTimeout(() => void describeStuck(words, env, texts), stuckMs)
  const code = await runWords({
    words, printer, signal: ending.signal, version, env, cwd: process.cwd(),
    settings: flags => readSettings({ disk: localDisk, machine }, flags), machine: async () => machine,
    world: async (name, settings) => ({ ...await loadWorld(name, settings), processes: bundledProcesses }), open: openMill,
  }).finally(() => clearTimeout(late))
  if (code === 'interrupted') throw new Error(`${words.join(' ')} was interrupted, by nobody`)
  return { code, ...texts }
}

/** Prints what a command that has not ended may wait for, since a test that is ended by its time limit says nothing. */
async function describeStuck(words: readonly string[], env: Readonly<Record<string, string>>, texts: object): Promise<void> {
  const say = (text: string): boolean => process.stderr.write(`${text}\n`)
  say(`"${words.join(' ')}" has run for ${stuckMs / 1000} s; printed: ${JSON.stringify(texts)}`)
  say(`open: ${process.getActiveResourcesInfo().join(' ')}`)
  const ask = async (...asked: string[]): Promise<string> => {
    const { code, stdout, stderr } = await run(asked, env)
    say(`${asked.join(' ')} (exit code ${code}): ${stdout.slice(0, describedMax)} ${stderr}`)
    return stdout
  }
  await ask('status', '--json')
  const running = await ask('jobs', '--json', '--running')
  for (const [, job] of running.matchAll(/"job":"([^"]+)"/g)) await ask('job', job!, '--tasks', '--json')
}

/** Cluster of real processes whose commands run in this one. For a command as a process: `run(words, cluster.env)` of the kit. */
export const startClusterHere = (options: ClusterOptions = {}): Promise<TestCluster> => startCluster({ ...options, runner: runHere })

/** `open` of the library, with children from the checkout's bundle. */
export async function openHere(dir: string, flags: Readonly<Record<string, unknown>> = {}): Promise<Mill> {
  const settings = await readSettings({ disk: localDisk, machine: localMachine }, { logLevel: 'silent', ...flags })
  const world = { ...await loadWorld('client', settings), processes: bundledProcesses }
  return openEmbedded({ world, machine: localMachine, settings, signal: undefined }, dir)
}
