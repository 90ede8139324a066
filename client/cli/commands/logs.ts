// logs: what the tasks of a job wrote with console.log, attempt after attempt, each under a title.

import { attemptParts } from '../../../src/base/ids.ts'
import { GristmillError } from '../../../src/base/errors.ts'
import type { Context } from '../context.ts'
import { findJob } from '../jobname.ts'

export async function run(context: Context, operands: readonly string[], options: { task?: string; follow?: boolean }): Promise<void> {
  const { printer, signal } = context
  if (options.task !== undefined && !/^\d+\.\d+(\.\d+)?$/.test(options.task)) {
    throw new GristmillError('USAGE', `"${options.task}" is not a task; write stage.task, for instance 0.3, or stage.task.attempt`)
  }
  const mill = await context.mill()
  const { job } = await findJob(context, operands[0]!)
  let titled = ''
  for await (const { attempt, text } of mill.job(job).logs({ follow: options.follow === true, signal })) {
    const parts = attemptParts(attempt)
    const name = `${parts.stage}.${parts.task}.${parts.attempt}`
    if (options.task !== undefined && name !== options.task && !name.startsWith(`${options.task}.`)) continue
    if (context.json) {
      await printer.json({ attempt, text }, { compact: true })
      continue
    }
    if (titled !== name) await printer.text(`${titled === '' ? '' : '\n'}==> ${name} <==\n`)
    titled = name
    await printer.text(text)
  }
}
