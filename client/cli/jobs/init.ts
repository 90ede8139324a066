// init: writes a small project of TypeScript with a program, sample input, and the commands that run it. The programs are those of
// docs/examples/projects.

import { basename, dirname, join, relative } from 'node:path'
import { GristmillError } from '../../../src/base/errors.ts'
import type { Disk } from '../../../src/ports/disk.ts'
import { version } from '../../../src/base/version.ts'
import { nearest } from '../../../src/base/nearest.ts'
import type { CommandContext } from '../context.ts'
import { Refusal } from '../errors.ts'
import { isCheckout, isInPackage, packageFile, packageRoot } from '../package.ts'
import { option, type CommandSpec } from '../spec.ts'
import { shellWord } from '../target.ts'
import { localPath } from '../tree.ts'

interface Template {
  readonly about: string
  readonly program: string
  /** Sample files, which the project's commands put below `input`. */
  readonly data: readonly string[]
  readonly input: string
  readonly output: string
}

export const templates: Readonly<Record<string, Template>> = {
  wordcount: {
    about: 'words of a text, and how often each occurs', program: 'words.ts', data: ['harvest.txt'], input: '/harvest', output: '/words',
  },
  csv: { about: 'sums of CSV, by town', program: 'sales.ts', data: ['sales.csv'], input: '/sales', output: '/sums' },
  jsonl: { about: 'a log in JSON lines, by page', program: 'visits.ts', data: ['visits.jsonl'], input: '/visits', output: '/pages' },
  join: {
    about: 'two CSV files with a common column', program: 'orders.ts', data: ['customers.csv', 'orders.csv'],
    input: '/shop', output: '/named',
  },
  topn: { about: 'the most frequent words', program: 'top.ts', data: ['harvest.txt'], input: '/poems', output: '/top' },
}

const names = Object.keys(templates)

export const init: CommandSpec = {
  name: 'init', args: '[directory]', about: 'write a small project to start from',
  notes:
    'The project has a program in TypeScript, sample input, package.json and tsconfig.json, and a README.md with the commands that run it. '
    + 'No cluster is needed. Only an empty or new directory is written to, unless --force is given.',
  operands: [['directory', 'directory of the project (default: the current one)']],
  options: [
    option('-t, --template <name>', `${names.join(', ')} (default: wordcount)`, {
      parse: Object.assign(parseTemplate, { choices: names }),
    }),
    option('--force', 'write into a directory that is not empty; files with the same names are replaced'),
  ],
  examples: [
    ['gristmill init words && cd words && npm install', 'a project that counts words'],
    ['gristmill init --template csv sums', 'one that reads CSV'],
  ],
  appendix: ['Templates:', ...Object.entries(templates).map(([name, { about }]) => `  ${name.padEnd(11)}${about}`)].join('\n'),
  run: runInit,
}

function parseTemplate(text: string): string {
  if (Object.hasOwn(templates, text)) return text
  const near = nearest(text, names)
  throw new GristmillError(
    'EINVAL',
    `there is no template "${text}"${near === undefined ? '' : ` (did you mean ${near}?)`}; there are ${names.join(', ')}`,
  )
}

interface InitFlags { template?: string; force?: boolean }

async function runInit(
  context: CommandContext, [operand = '.']: readonly string[], { template: name = 'wordcount', force = false }: InitFlags,
): Promise<void> {
  const { printer } = context
  const { disk } = await context.world()
  const directory = localPath(context, operand)
  await refuseUsed(disk, directory, operand, force)
  const files = await filesOf(name, directory)
  await disk.mkdir(directory, { mode: 0o777 })
  for (const [file, bytes] of files) await disk.writeFileDurable(join(directory, file), bytes, { mode: 0o644 })
  if (context.json) return printer.json({ directory, template: name, files: [...files.keys()] })
  for (const file of files.keys()) await printer.line(printer.name(join(operand, file)))
  const enter = operand === '.' ? '' : `cd ${shellWord(operand.startsWith('-') ? `./${operand}` : operand)} && `
  const pack = await isUnpacked() ? `(cd ${shellWord(packageRoot)} && npm run build && npm pack ./dist) && ` : ''
  printer.note(`gristmill: init: go on with: ${pack}${enter}npm install. README.md has the commands that run it`)
}

/** Throws ENOTEMPTY for a directory with files in it, ENOTDIR for a file. */
async function refuseUsed(disk: Disk, directory: string, operand: string, force: boolean): Promise<void> {
  const found = await disk.stat(directory, { follow: true })
  if (!found) return
  if (found.kind !== 'directory') throw new Refusal('ENOTDIR', `${operand}: is a file, not a directory`, { details: { path: operand } })
  const entries = (await disk.list(directory)).filter(entry => entry.name !== '.git')
  if (entries.length === 0 || force) return
  throw new Refusal(
    'ENOTEMPTY',
    `${operand}: the directory is not empty (it has ${entries[0]!.name}); give a new one, or add --force to write into this one`,
    { details: { path: operand } },
  )
}

/** Files of a project, by name. */
async function filesOf(name: string, directory: string): Promise<Map<string, Buffer>> {
  const template = templates[name]!
  const files = new Map<string, Buffer>()
  for (const file of [template.program, ...template.data]) files.set(file, await packageFile(`docs/examples/projects/${name}/${file}`))
  const manifest = manifestOf(basename(directory), await dependencyOn(directory))
  files.set('package.json', Buffer.from(`${JSON.stringify(manifest, undefined, 2)}\n`))
  files.set('tsconfig.json', Buffer.from(`${JSON.stringify(tsconfig, undefined, 2)}\n`))
  files.set('.gitignore', Buffer.from('node_modules/\n'))
  files.set('README.md', Buffer.from(readmeOf(String(manifest['name']), template)))
  return files
}

/** The package as a checkout packs it. */
const packed = `gristmill-${version}.tgz`

/** True for a checkout whose package has not been made. */
const isUnpacked = async (): Promise<boolean> => await isCheckout() && !await isInPackage(packed)

/**
 * The dependency as npm writes it, for a project in `directory`: the place that this package was installed from, or for a checkout the
 * package that it packs. The checkout itself has no declarations: a project's compiler would check its sources, by the project's options.
 */
async function dependencyOn(directory: string): Promise<string> {
  const at = packageRoot.replace(/\/$/, '')
  const modules = dirname(at)
  if (await isCheckout()) return `file:${relative(directory, join(at, packed))}`
  if (basename(modules) !== 'node_modules') return `file:${relative(directory, at)}`
  try {
    // npm's list of the packages in a node_modules: `resolved` is a URL of the registry, or a file relative to the project.
    const { localDisk } = await import('../../../src/world/disk.ts')
    const list = JSON.parse((await localDisk.readFile(join(modules, '.package-lock.json'))).toString('utf8')) as Installed
    const resolved = list.packages?.[`node_modules/${basename(at)}`]?.resolved
    if (resolved?.startsWith('file:')) return `file:${relative(directory, join(dirname(modules), resolved.slice('file:'.length)))}`
    if (resolved !== undefined && /^https?:/.test(resolved)) return `^${version}`
  } catch {
    // There is no list of global packages, and none of another package manager.
  }
  // It may be from a file: the package itself can be installed in any case.
  return `file:${relative(directory, at)}`
}

interface Installed { readonly packages?: Readonly<Record<string, { readonly resolved?: string }>> }

/** Versions that the examples are type-checked with; a test compares them with this package's. */
export const tools = { '@types/node': '24.19.2', typescript: '7.0.2' } as const

function manifestOf(directory: string, dependency: string): Record<string, unknown> {
  const name = directory.toLowerCase().replaceAll(/[^a-z0-9._-]+/g, '-').replace(/^[._-]+/, '') || 'mill'
  return {
    // A project called gristmill would be taken for the package.
    name: name === 'gristmill' ? 'my-gristmill' : name, version: '0.0.0', private: true, type: 'module', engines: { node: '>=24' },
    scripts: { types: 'tsc' },
    dependencies: { gristmill: dependency },
    devDependencies: tools,
  }
}

const tsconfig = {
  compilerOptions: {
    target: 'es2024', lib: ['esnext'], module: 'nodenext', types: ['node'], strict: true, noUncheckedIndexedAccess: true, noEmit: true,
    allowImportingTsExtensions: true, erasableSyntaxOnly: true, verbatimModuleSyntax: true, skipLibCheck: true,
  },
  include: ['*.ts'],
}

const readmeOf = (name: string, { about, program, data, input, output }: Template): string => `# ${name}

A project for gristmill: ${about}. \`${program}\` is the program.

Install once, and check the types whenever you have changed the program:

    npm install
    npm run types

Store the input, run the program, look at the result. No cluster is needed: without one, commands use an embedded cluster of yours.

\`\`\`sh
npx gristmill put ${data.join(' ')} ${input}/
npx gristmill run ${program} --input ${input} --output ${output}
npx gristmill cat '${output}/part-*'
\`\`\`

After a change, run it again with \`--overwrite\`. \`npx gristmill job last\` shows what the last job did, and \`npx gristmill logs last\` what the
program has printed. \`npx gristmill help\` lists commands and further pages to read.
`
