// rerun: runs a job again, with what its output records of it.

import { isAbsolute, join } from 'node:path'
import { normalise } from '../../../src/base/paths.ts'
import { isBuiltin } from '../../jobs/builtins.ts'
import type { RerunOptions } from '../../jobs/rerun.ts'
import type { CommandContext } from '../context.ts'
import { option, type CommandSpec } from '../spec.ts'
import { findJob } from './jobs.ts'
import { ProgramOutput } from './programoutput.ts'
import { environmentOf, follow } from './run.ts'

export const rerun: CommandSpec = {
  name: 'rerun', args: '<id>',
  about: 'run a job again over the same inputs',
  operands: [['<id>', 'id of a job, a unique prefix of it, or `last`']],
  notes:
    'The stored program of the job runs, with its parameters and options, over the inputs that it has read: an input that is an output of a job and was '
    + 'replaced or renamed since is read as the version of then; any other input has to be unchanged. The present output is kept as a version (gristmill history --help). '
    + 'A job of a program over Datasets is a step of a run: the whole program runs again, all its steps over the inputs that they have read. It ends with an error before it reads anything else, save the outputs of its own steps.',
  options: [
    option('--code <program>', 'run this program instead, for instance a mended one'),
    option('-o, --output <path>', 'output directory (default: that of the job; of a program over Datasets: its parameter)'),
    option('--trust', 'run the program of another user, which gets your rights on this machine'),
    option('--latest', 'read the inputs as they are now; a program over Datasets gets the present time, too'),
    option('--env <name[=value]>', 'environment variable of the program, whose value is not kept with the job; may be repeated', { repeat: true }),
  ],
  examples: [
    ['gristmill rerun job-7', 'the same again'],
    ['gristmill rerun job-7 --code mended.ts', 'another program over the same inputs'],
  ],
  run: runAgain,
}

interface RerunFlags { code?: string; output?: string; trust?: boolean; latest?: boolean; env?: string[] }

async function runAgain(
  context: CommandContext, [id]: readonly string[], { code, output, trust, latest = false, env }: RerunFlags,
): Promise<void> {
  const mill = await context.mill()
  const { job } = await findJob(context, id!)
  const printed = new ProgramOutput(context)
  const options: RerunOptions = {
    latest, onNote: line => context.note(line), onOutput: printed.take, signal: context.signal,
    ...code !== undefined && { code: isBuiltin(code) || isAbsolute(code) ? code : join(context.cwd, code) },
    ...trust && { trust },
    ...output !== undefined && { output: normalise(output) },
    ...env && { env: environmentOf(env, context.env) },
  }
  try {
    await follow(context, await mill.rerun(job, options), 'rerun')
  } finally {
    printed.end()
  }
}
