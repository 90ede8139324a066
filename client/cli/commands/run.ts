// run: submits a program, shows its stages while they run, then prints counters and locality. On a terminal with one bar per stage;
// elsewhere with one line when a stage begins and one when it ends. Ctrl-C kills the job.

import { isAbsolute, join } from 'node:path'
import { GristmillError, hasCode } from '../../../src/base/errors.ts'
import type { TextEncoding } from '../../../src/base/formats.ts'
import { normalise } from '../../../src/base/paths.ts'
import { Refusal } from '../errors.ts'
import type { CommandContext } from '../context.ts'
import { barsFor, linesFor } from '../jobwatch.ts'
import { jobLines } from '../jobview.ts'

export interface RunOptions {
  input?: string[]
  output?: string
  overwrite?: boolean
  force?: boolean
  encoding?: TextEncoding
  delimiter?: string
  reducers?: number
  param?: (readonly [string, unknown])[]
  env?: string[]
  name?: string
  memory?: number
  taskTimeout?: number
  attempts?: number
  detach?: boolean
}

export async function run(context: CommandContext, operands: readonly string[], options: RunOptions): Promise<void> {
  const { printer, signal } = context
  const program = operands[0]!
  checkForce(options)
  const mill = await context.mill()
  const { clock } = await context.world()
  const job = await advised(mill.run(isAbsolute(program) ? program : join(context.cwd, program), {
    ...(options.input ? { input: options.input } : {}),
    ...(options.output === undefined ? {} : { output: normalise(options.output) }),
    overwrite: options.overwrite === true,
    onNote: line => context.note(line),
    force: options.force === true,
    params: onceEach('--param', options.param ?? []),
    ...(options.env ? { env: environmentOf(options.env, context.env) } : {}),
    ...(options.encoding === undefined ? {} : { encoding: options.encoding }),
    ...(options.delimiter === undefined ? {} : { delimiter: options.delimiter }),
    ...(options.reducers === undefined ? {} : { reducers: options.reducers }),
    ...(options.name === undefined ? {} : { name: options.name }),
    ...(options.memory === undefined ? {} : { memoryBytes: options.memory }),
    ...(options.taskTimeout === undefined ? {} : { taskTimeoutMs: options.taskTimeout }),
    ...(options.attempts === undefined ? {} : { attemptsMax: options.attempts }),
    // A detached job must outlive this process.
    ...(options.detach ? {} : { signal }),
  }))
  if (options.detach) return context.json ? printer.json({ job: job.id }) : printer.line(job.id)

  if (!context.json) printer.note(`job ${job.id}`)
  const progress = await context.progress()
  try {
    const show = progress.drawn ? barsFor(progress.bar) : linesFor(text => { if (!context.json) printer.note(text) }, () => clock.mono())
    for await (const status of job.watch(signal)) show(status)
  } catch (error) {
    if (!signal.aborted || hasCode(signal.reason, 'EPIPE')) throw error
    progress.stop()
    printer.note(`gristmill: run: interrupted; killing job ${job.id}`)
    await job.kill()
    throw error
  } finally {
    progress.stop()
  }
  const status = await job.status()
  if (context.json) await printer.json(status)
  else if (status.state === 'succeeded') {
    for (const line of jobLines(status, clock.now())) await printer.line(line)
  }
  // Throws the failure of the job, with the user's stack.
  await job.wait({ signal })
}

/** Parses `NAME=VALUE`, or `NAME` for the value in the environment `own`. Throws USAGE for a variable that is not set there. */
export function environmentOf(given: readonly string[], own: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return onceEach('--env', given.map(text => {
    const at = text.indexOf('=')
    if (at >= 0) return [text.slice(0, at), text.slice(at + 1)]
    const value = own[text]
    if (value === undefined)
      throw new GristmillError('USAGE', `--env ${text}: the variable is not set here; set it, or write ${text}=value`)
    return [text, value]
  }))
}

/** Values by name. Throws USAGE for a name that occurs twice, as one of its values would be lost. */
export function onceEach<T>(flag: string, given: readonly (readonly [string, T])[]): Record<string, T> {
  const twice = given.map(([name]) => name).find((name, index, names) => names.indexOf(name) !== index)
  if (twice !== undefined) throw new GristmillError('USAGE', `${flag} ${twice} is given twice; give it once`)
  return Object.fromEntries(given)
}

/** Throws USAGE for `--force` without `--overwrite`, which would have no effect. */
export function checkForce({ overwrite, force }: { readonly overwrite?: boolean | undefined; readonly force?: boolean | undefined }): void {
  if (force && !overwrite) throw new GristmillError('USAGE', '--force extends --overwrite; give both')
}

/** Adds advice to the error of an output that exists already. */
export async function advised<T>(submitted: Promise<T>): Promise<T> {
  try {
    return await submitted
  } catch (error) {
    if (hasCode(error, 'ENOTEMPTY')) throw new Refusal('ENOTEMPTY', error.message, { cause: error, details: error.details })
    if (!hasCode(error, 'EEXIST')) throw error
    throw new Refusal(
      'EEXIST',
      `${String(error.details['path'] ?? 'the output')}: file exists; add --overwrite to replace it atomically`,
      { cause: error, details: error.details },
    )
  }
}
