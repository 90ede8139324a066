// Generator of docs/reference/cli.md from the command line's own help: `node test/tidy/clipage.ts` writes it, a test compares. The text
// between the commands' help is in this file.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { catalog, globals, loadAll } from '../../client/cli/catalog.ts'
import { buildProgram } from '../../client/cli/program.ts'
import { root } from './source.ts'

export const pagePath = 'docs/reference/cli.md'

const intro = `# Command line

Made from the command line's own help; \`npm run docs\` writes it again.

- Paths of the cluster start at \`/\`; a path without one is taken as if it had. \`*\`, \`?\`, \`[a-z]\`, \`{a,b}\`, \`{1..3}\` and \`**\` work in them
  ([patterns](patterns.md)): quote them, or the shell takes them for local names. A name that exists as it is written is itself. A pattern
  without a match is an error. A slash at the end asks for a directory.
- \`-\` is stdin or stdout where a local file is expected.
- Nothing that exists is replaced without \`-f\` (\`--overwrite\`), on either side.
- On a terminal, unusual names are quoted as GNU ls quotes them, and nothing in a name, a label or a message can move the cursor or turn
  text around (controls and bidi controls are escaped). In a pipe names are as they are. \`cat\`, \`head\`, \`tail\`, \`get … -\` and \`logs\` show what
  is in files and what programs wrote as it is, on a terminal too.
- Results go to stdout, everything else to stderr: \`gristmill: ls: /nope: no such file or directory\`. Of several operands, those that
  can be done are done; the exit code is then 1. With \`--json\`, errors are one JSON object a line on stderr.
- [Exit codes](exit-codes.md): 0 done, 1 failed, 2 wrong usage, 130 interrupted, 141 the reader of stdout has gone.
- On a terminal, states and directories are coloured, and tables are wrapped to its width, or to \`COLUMNS\`; in a pipe each row is one line.
  \`--color always\` and \`--color never\` decide in any case: \`gristmill jobs --color always | less -R\`. Without them \`NO_COLOR\` turns
  colours off, and \`FORCE_COLOR\` decides whatever the output is. Progress is drawn on a terminal only, and not with \`--quiet\`.
- \`gristmill help TOPIC\` prints a page of the manual, such as \`errors\` or \`settings\`; \`gristmill help\` lists the topics.
`

export async function cliPage(): Promise<string> {
  let text = ''
  const program = buildProgram({
    version: '', commands: await loadAll(), globals, execute: async () => {}, columns: () => 100,
    writeOut: written => { text += written }, writeErr: () => {},
  })
  const help = (command: Command): string => {
    text = ''
    command.outputHelp()
    return `\`\`\`\n${text.trimEnd().split('\n').map(line => line.trimEnd()).join('\n')}\n\`\`\`\n`
  }
  const section = (command: Command, path: string, level: string): string[] => [
    `${level} ${path}\n\n${help(command)}`,
    ...command.commands.flatMap(verb => section(verb, `${path} ${verb.name()}`, `${level}#`)),
  ]
  const sections = catalog.map(({ title, commands }) => {
    const wanted = program.commands.filter(command => Object.hasOwn(commands, command.name()))
    return `## ${title}\n\n${wanted.flatMap(command => section(command, `gristmill ${command.name()}`, '###')).join('\n')}`
  })
  return `${intro}\n## gristmill\n\n${help(program)}\n${sections.join('\n')}`
}

if (import.meta.main) writeFileSync(join(root, pagePath), await cliPage())
