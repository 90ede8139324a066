// logs: prints the console output of a job's tasks, attempt by attempt, each under a title; or the last lines of a server's log.

import { GristmillError } from '../../../src/base/errors.ts'
import { attemptId, attemptParts, type JobId } from '../../../src/base/ids.ts'
import { memberNamed } from '../cluster/members.ts'
import type { CommandContext } from '../context.ts'
import { logLineText } from '../../service/logtext.ts'
import { option, whole, type CommandSpec } from '../spec.ts'
import { findJob, jobNote } from './jobs.ts'

export const logs: CommandSpec = {
  name: 'logs', args: '[id]',
  about: "print the output of a job, or a server's log",
  notes: `${jobNote} With --server, prints the last lines of the log of a server that runs, which keeps some 256 KiB of them: of \`namenode\`, or of the id, the address or the host of a datanode.\nThe output of a program is printed unchanged, also on a terminal: colours and all other escape sequences take effect.`,
  options: [
    option('--task <task>', 'only this task (stage.task), or an attempt as shown by `job --tasks`'),
    option('--server <server>', 'the log of this server, and not of a job'),
    option('-n, --lines <n>', 'with --server: only the last lines, so many of them', { parse: whole(0, 1_000_000) }),
    option('-f, --follow', 'follow the logs until the job ends; of a server, until Ctrl-C'),
  ],
  examples: [
    ['gristmill logs last --task 0.3', 'task 3 of the first stage'],
    ['gristmill logs --server namenode -n 20 -f', 'the last lines of the namenode, and those to come'],
  ],
  run: runLogs,
}

interface LogsOptions { readonly task?: string; readonly server?: string; readonly lines?: number; readonly follow?: boolean }

async function runLogs(context: CommandContext, [id]: readonly string[], options: LogsOptions): Promise<void> {
  const { printer, signal } = context
  const parts = partsOf(options.task)
  if (options.server !== undefined) {
    if (id !== undefined || parts)
      throw new GristmillError('USAGE', 'with --server, the log is that of a server: leave out the job and its task')
    return printServerLog(context, options.server, options)
  }
  if (id === undefined) throw new GristmillError('USAGE', 'name a job (its id, or "last"), or a server with --server')
  if (options.lines !== undefined) throw new GristmillError('USAGE', '--lines belongs to --server; the log of a task is printed whole')
  const mill = await context.mill()
  const { job } = await findJob(context, id)
  let titled = ''
  let isEmpty = true
  for await (const { attempt, node, text, unreachable } of mill
    .job(job)
    .logs({ ...wanted(job, parts), follow: options.follow === true, signal })) {
    if (text !== '' || unreachable !== undefined) isEmpty = false
    if (context.json) {
      await printer.json({ attempt, node, text, ...(unreachable === undefined ? {} : { unreachable }) }, { compact: true })
      continue
    }
    const at = attemptParts(attempt)
    const name = `${at.stage}.${at.task}.${at.attempt}`
    if (unreachable !== undefined) {
      context.failed++
      printer.complain(`gristmill: logs: ${name}: ${unreachable}`)
      continue
    }
    if (titled !== name) await printer.text(`${titled === '' ? '' : '\n'}==> ${name} <==\n`)
    titled = name
    // Printed unchanged, escape sequences included: the output belongs to the user's own program.
    await printer.raw(text)
  }
  const what = parts ? `${options.task!} of ${job}` : job
  if (isEmpty) context.note(`${what} has printed nothing; gristmill job ${job} shows its stages and tasks`)
}

async function printServerLog(context: CommandContext, server: string, { lines, follow }: LogsOptions): Promise<void> {
  const { printer, signal, json } = context
  const { servers } = await context.mill()
  for await (const line of servers.log(await memberNamed(context, server), { last: lines, follow: follow === true, signal })) {
    if (json) await printer.json(line, { compact: true })
    else await printer.line(logLineText(line))
  }
}

type Parts = readonly [stage: number, task: number, attempt?: number]

function partsOf(text: string | undefined): Parts | undefined {
  if (text === undefined) return undefined
  if (!/^\d+\.\d+(\.\d+)?$/.test(text))
    throw new GristmillError('USAGE', `"${text}" is not a task; write stage.task, for instance 0.3, or stage.task.attempt`)
  const [stage, task, attempt] = text.split('.').map(Number) as [number, number, number?]
  return attempt === undefined ? [stage, task] : [stage, task, attempt]
}

function wanted(job: JobId, parts: Parts | undefined) {
  if (!parts) return {}
  const [stage, task, attempt] = parts
  return attempt === undefined ? { stage, task } : { attempt: attemptId({ job, stage, task, attempt }) }
}
