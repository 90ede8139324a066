// Generator of docs/reference/settings.md from the table of settings. `npm run docs` writes it; a test compares.

import { writeFileSync } from 'node:fs'
import { globals, loadAll } from '../../client/cli/catalog.ts'
import { flagsOf } from '../../client/cli/spec.ts'
import { flagOf, variableOf } from '../../src/base/config.ts'
import { settings } from '../../src/base/settings.ts'

const intro = `# Settings

A setting is said on the command line, in a variable of the environment, or in a JSON file; the first of these that says it wins.
The file is \`--config FILE\`, else \`GRISTMILL_CONFIG\`, else \`config.json\` in the home; its keys are the names below:

    { "cluster": "namenode:8620", "secretFile": "cluster.secret" }

Relative paths in it start at the file's own directory, others at the working directory. An unknown name is an error, in the file and
among the variables that start with \`GRISTMILL_\`. Not every command takes every flag; \`gristmill COMMAND --help\` tells, and a setting without a flag has none anywhere. An empty
variable counts as not said. \`gristmill config\` shows the settings in effect, also of the servers of \`up\`, and where each comes from.
Sizes: \`64k\` and \`64KiB\` are 65536 bytes, \`64kB\` is 64000. Durations: \`250ms\`, \`30s\`, \`5m\`, \`1h\`.
`

/** Options of all commands. */
const flags: ReadonlySet<string> = new Set(
  [...globals, ...(await loadAll()).flatMap(({ spec }) => [spec, ...spec.verbs ?? []]).flatMap(({ options }) => options)].flatMap(flagsOf),
)

const flagCell = (name: string): string => (flags.has(flagOf(name)) ? `\`${flagOf(name)}\`` : '')

const cell = (text: string): string => text.replaceAll('|', '\\|')

export function settingsPage(): string {
  const rows = Object.entries(settings).map(
    ([name, { type, fallback, usedBy, about }]) =>
      `| \`${name}\` | ${flagCell(name)} | \`${variableOf(name)}\` | ${cell(type)} | ${cell(fallback)} | ${usedBy.join(', ')} | ` +
      `${cell(about)} |`,
  )
  return `${intro}\n| name | flag | variable | value | default | used by | what it does |\n|---|---|---|---|---|---|---|\n${rows.join('\n')}\n`
}

export const settingsFile = new URL('../../docs/reference/settings.md', import.meta.url)

if (import.meta.main) writeFileSync(settingsFile, settingsPage())
