// test: answers questions about a path by the exit code, for scripts.

import { endsAsDirectory, normalise } from '../../../src/base/paths.ts'
import type { FileStatus } from '../../../src/protocol/namespace.ts'
import { isPattern } from '../../glob/pattern.ts'
import type { CommandContext } from '../context.ts'
import { option, type CommandSpec } from '../spec.ts'
import { matchesOf, statusOrNone } from '../tree.ts'

export const test: CommandSpec = {
  name: 'test', args: '<path>', about: 'answer by the exit code what a path is',
  notes: 'Ends with 0 for yes and 1 for no, and prints nothing. With several options, all must hold; without one, the path must exist. For a pattern the answer is yes if they hold for one of the paths that it matches. Other exit codes say that there is no answer, for instance 69 if no namenode answers.',
  options: [
    option('-e, --exists', 'the path exists'),
    option('-d, --directory', 'it is a directory'),
    option('-f, --file', 'it is a file'),
    option('-s, --size', 'it is a file that is not empty'),
    option('-z, --zero', 'it is an empty file'),
  ],
  examples: [['gristmill test -e /words/_SUCCESS && gristmill cat \'/words/part-*\'', 'only if the job has succeeded']],
  run: runTest,
}

interface TestFlags { exists?: boolean; directory?: boolean; file?: boolean; size?: boolean; zero?: boolean }

const questions: Readonly<Record<keyof TestFlags, (status: FileStatus) => boolean>> = {
  exists: () => true,
  directory: ({ type }) => type === 'directory',
  file: ({ type }) => type === 'file',
  size: ({ type, length }) => type === 'file' && length > 0,
  zero: ({ type, length }) => type === 'file' && length === 0,
}

async function runTest(context: CommandContext, [operand]: readonly string[], options: TestFlags): Promise<void> {
  const mill = await context.mill()
  const asked = Object.entries(questions).filter(([name]) => options[name as keyof TestFlags]).map(([, holds]) => holds)
  // A slash at the end asks for a directory.
  if (endsAsDirectory(operand!)) asked.push(questions.directory)
  let isTrue = false
  for (const path of isPattern(operand!) ? await matchesOf(context, operand!) : [operand!]) {
    const status = await statusOrNone(mill, normalise(path), context.signal)
    if (status && asked.every(holds => holds(status))) isTrue = true
    if (isTrue) break
  }
  if (context.json) await context.printer.json({ path: normalise(operand!), answer: isTrue }, { compact: true })
  if (!isTrue) context.exitCode = 1
}
