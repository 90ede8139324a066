// Steps of a task that run Unix commands. A map task runs its command once for each part of a file in its split, as the environment of the
// command names that file; a reduce task runs its command once, over the lines of its partition in the order of their keys.

import type { Emit, Key } from '../base/pair.ts'
import { KiB } from '../base/units.ts'
import type { CommandNode } from '../plan/node.ts'
import type { KeyGroup } from '../shuffle/groups.ts'
import { aggregate } from './aggregate.ts'
import { lineKey } from './commandkey.ts'
import { CombineOutput, PairOutput, RawOutput, type Settle } from './commandlines.ts'
import { CommandRun, type CommandInput, type CommandOutput, type CommandRunner } from './commandrun.ts'
import type { Operator, Step } from './operator.ts'

export interface CommandOptions {
  readonly step: CommandNode
  readonly runner: CommandRunner
  readonly emit: Emit<Key, unknown>
  readonly settle: Settle
}

/** Takes the bytes of one part of a file after the other. */
export class MapCommand implements Operator<Buffer> {
  readonly #options: CommandOptions
  readonly #output: CommandOutput
  #run: CommandRun | undefined

  /** `isShuffled`: a shuffle follows. */
  constructor(options: CommandOptions, isShuffled: boolean) {
    const { step: { fields, combine }, runner, emit, settle } = options
    this.#options = options
    const pairs = (): CommandOutput => new PairOutput(emit, fields, settle)
    this.#output = !isShuffled
      ? new RawOutput(emit, settle)
      : combine ? new CombineOutput(fields, async lines => passLines(lines, new CommandRun(runner.start(combine), pairs()))) : pairs()
  }

  begin(input: CommandInput): void {
    const { step: { argv }, runner } = this.#options
    if (argv) this.#run = new CommandRun(runner.start(argv, input), this.#output)
  }

  /** The bytes may be reused afterwards. */
  push(bytes: Buffer): Promise<void> | undefined {
    return this.#run ? this.#run.write(bytes) : this.#output.take(Buffer.from(bytes))
  }

  /** The part of the file ends. */
  async end(): Promise<void> {
    await (this.#run ?? this.#output).end()
    this.#run = undefined
  }
}

/** Characters of lines that are written at a time. */
const pieceChars = 64 * KiB

async function passLines(lines: Iterable<string>, run: CommandRun): Promise<void> {
  let text = ''
  for (const line of lines) {
    text += `${line}\n`
    if (text.length < pieceChars) continue
    await run.write(Buffer.from(text, 'latin1'))
    text = ''
  }
  await run.write(Buffer.from(text, 'latin1'))
  await run.end()
}

/** Takes groups, and writes a line for each value. */
export function reduceCommand({ step: { argv, fields, aggregates }, runner, emit, settle }: CommandOptions): Step<KeyGroup> {
  const output = new RawOutput(emit, settle)
  const run = argv && new CommandRun(runner.start(argv), output)
  const pass = (bytes: Buffer): Promise<void> | undefined => (run ? run.write(bytes) : output.take(bytes))
  let text = ''
  const flush = (): Promise<void> | undefined => {
    const bytes = Buffer.from(text, 'latin1')
    text = ''
    return pass(bytes)
  }
  const rest = async (key: string, values: Iterator<unknown>): Promise<void> => {
    do await flush()
    while (!add(key, values))
  }
  /** False: the text is long enough, and values are left. */
  const add = (key: string, values: Iterator<unknown>): boolean => {
    for (;;) {
      const { value, done } = values.next() as IteratorResult<string | null>
      if (done) return true
      text += value === null ? `${key}\n` : `${key}${fields.joiner}${value}\n`
      if (text.length >= pieceChars) return false
    }
  }
  return {
    push({ key, values }) {
      const line = lineKey(key)
      if (aggregates) {
        text += `${aggregate(line, values as Iterable<string | null>)}\n`
        return text.length >= pieceChars ? flush() : undefined
      }
      const iterator = values[Symbol.iterator]()
      return add(line, iterator) ? undefined : rest(line, iterator)
    },
    async finish() {
      await flush()
      await (run ?? output).end()
    },
  }
}
