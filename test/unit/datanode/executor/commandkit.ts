// Runs the commands of a task with real processes, without a cluster: bytes of input files in, bytes or pairs out.

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TaskCommands } from '../../../../datanode/executor/taskcommands.ts'
import type { AttemptId, JobId } from '../../../../src/base/ids.ts'
import type { Key } from '../../../../src/base/pair.ts'
import { MapCommand, reduceCommand, type CommandOptions } from '../../../../src/operator/command.ts'
import type { CommandNode, CommandWords, LineFields } from '../../../../src/plan/node.ts'
import type { TaskWork } from '../../../../src/protocol/task.ts'
import { commandsOf } from '../../../../src/world/command.ts'
import { localDisk } from '../../../../src/world/disk.ts'

export const sh = (text: string): CommandWords => ['/bin/sh', '-c', text]

export interface Ran {
  /** Bytes that were emitted without a key. */
  readonly output: Buffer
  readonly pairs: ReadonlyArray<readonly [Key, unknown]>
  readonly log: string
  readonly counters: Readonly<Record<string, number>>
  readonly error: Error | undefined
}

export interface Given {
  readonly argv?: CommandWords | undefined
  readonly combine?: CommandWords
  readonly aggregates?: true
  readonly fields?: Partial<LineFields>
  readonly files?: ReadonlyArray<readonly [name: string, content: string, executable?: boolean]>
  readonly env?: Readonly<Record<string, string>>
  readonly heldMs?: number
}

type Work = (parts: CommandOptions, settled: { count: number }) => Promise<void>

async function withCommands(given: Given, role: CommandNode['role'], work: Work): Promise<Ran> {
  const { argv, combine, aggregates, fields, files = [], env, heldMs } = given
  const scratch = await mkdtemp(join(tmpdir(), 'gristmill-command-'))
  const pieces: Buffer[] = []
  const pairs: Array<readonly [Key, unknown]> = []
  const log: Buffer[] = []
  const counters: Record<string, number> = {}
  let error: Error | undefined
  try {
    await mkdir(join(scratch, 'assets'))
    for (const [name, content] of files) await writeFile(join(scratch, 'assets', name), content)
    const step: CommandNode = {
      kind: 'command', inputs: [{ kind: 'read', inputs: [], options: { format: 'lines' } }], role,
      ...argv && { argv }, ...combine && { combine }, ...aggregates && { aggregates },
      fields: { separator: '\t', joiner: '\t', keyFields: 1, ...fields },
      files: files.map(([name, , executable = false]) => ({ name, executable })),
    }
    const task: Pick<TaskWork, 'attempt' | 'job' | 'task' | 'user' | 'env' | 'params' | 'output'> = {
      attempt: 'job-1.0.3.1' as AttemptId, job: 'job-1' as JobId, task: 3, user: 'ada', ...env && { env: { ...env } },
      params: { input: ['/in'], output: '/out' }, output: { kind: 'shuffle', partitions: 2 },
    }
    const runner = await TaskCommands.open({
      disk: localDisk, commands: commandsOf(heldMs === undefined ? {} : { heldMs }), scratch, node: 'datanode-1',
      work: task as TaskWork, step, reducers: 2, asset: name => join(scratch, 'assets', name), log: bytes => log.push(Buffer.from(bytes)),
      count: (name, by) => { counters[name] = (counters[name] ?? 0) + by },
    })
    const settled = { count: 0 }
    try {
      await work({
        step, runner,
        emit: (key, value) => { if (Buffer.isBuffer(value)) pieces.push(value); else pairs.push([key, value]) },
        // Yields, as a sink that writes does.
        settle: () => { settled.count++; return new Promise(resolve => { setImmediate(resolve) }) },
      }, settled)
    } catch (thrown) {
      error = thrown as Error
    }
    await runner.close()
  } finally {
    await rm(scratch, { recursive: true })
  }
  return { output: Buffer.concat(pieces), pairs, log: Buffer.concat(log).toString(), counters, error }
}

/** Runs a map task over files, each given as its pieces. */
export const mapped = (given: Given, files: ReadonlyArray<ReadonlyArray<Buffer | string>>, isShuffled = false): Promise<Ran> =>
  withCommands(given, 'map', async parts => {
    const mapper = new MapCommand(parts, isShuffled)
    for (const [i, pieces] of files.entries()) {
      mapper.begin({ path: `/in/file-${i}`, start: 0, length: pieces.reduce((sum, piece) => sum + piece.length, 0) })
      for (const piece of pieces) await mapper.push(Buffer.from(piece as string))
      await mapper.end()
    }
  })

/** Runs a reduce task over groups. */
export const reduced = (given: Given, groups: Iterable<readonly [Key, Iterable<string | null>]>): Promise<Ran> =>
  withCommands(given, 'reduce', async parts => {
    const reducer = reduceCommand(parts)
    for (const [key, values] of groups) await reducer.push({ key, values, end() {} })
    await reducer.finish()
  })
