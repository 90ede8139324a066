// Hadoop's `s3a` against a gateway: commands of `hadoop fs` with a tree of files with odd names, distcp from `webhdfs://`, and the
// interface for programs (java/S3A.java): parts, conditions, directories, trees, uploads, ranges, headers, errors.

import { execFile } from 'node:child_process'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Peers, Row } from './client.ts'
import { hadoopVersion } from './hadoop.ts'
import { Jars, type Dependency } from './maven.ts'
import { makeTree, treeBytes, treeFiles } from './s3.ts'
import { root } from '../tidy/source.ts'

const exec = promisify(execFile)
/** The version that hadoop-aws names. Its `bundle` of all services has 600 MB: these are the modules that s3a uses. */
const sdkVersion = '2.29.52'

export const s3aDependencies: readonly Dependency[] = [
  { group: 'org.apache.hadoop', artifact: 'hadoop-aws', version: hadoopVersion, alone: true },
  ...['s3', 's3-transfer-manager', 'sts'].map(artifact => ({ group: 'software.amazon.awssdk', artifact, version: sdkVersion })),
]

const jars = new Jars('s3a', [
  { group: 'org.apache.hadoop', artifact: 'hadoop-client-runtime', version: hadoopVersion },
  { group: 'org.apache.hadoop', artifact: 'hadoop-distcp', version: hadoopVersion, alone: true },
  { group: 'commons-cli', artifact: 'commons-cli', version: '1.9.0' },
  { group: 'org.apache.commons', artifact: 'commons-lang3', version: '3.17.0' },
  ...s3aDependencies,
])

export interface S3aOptions {
  readonly endpoint: string
  /** Address of the gateway's WebHDFS. */
  readonly url: string
  readonly key: { readonly id: string; readonly secret: string }
  /** Directory for the files of clients; removed by the caller. */
  readonly dir: string
}

/** What a client must set for a gateway; the others of `runS3a` make small files take the way of large ones. */
export const s3aProperties = (endpoint: string): Readonly<Record<string, string>> => ({
  'fs.s3a.endpoint': endpoint,
  'fs.s3a.path.style.access': 'true',
})

type Command = readonly [words: readonly string[], printed: RegExp, code?: number]

interface Places {
  readonly at: string
  readonly web: string
  readonly tree: string
  readonly out: string
}

/** Hadoop reads no local files with a colon in their names. */
const unreadable = 'comma,semi;co:lon'
const files = treeFiles - 1
const bytes = treeBytes - 9000

/** Commands in order, with what each must print. */
const commands = ({ at, web, tree, out }: Places): readonly Command[] => [
  [['-mkdir', web], /^$/], [['-ls', `${at}/`], /^$/], [['-mkdir', '-p', `${at}/d/e f`], /^$/],
  [['-ls', '-R', `${at}/`], /^drwx.* 0 .*\/d\ndrwx.*\/d\/e f\n$/],
  [['-put', tree, `${at}/in`], /^$/], [['-count', `${at}/in`], new RegExp(`^ +7 +${files} +${bytes} `)],
  [['-get', `${at}/in`, `${out}/s3a`], /^$/], [['-get', `${web}/in`, `${out}/webhdfs`], /^$/],
  [['-ls', '-R', `${at}/in`], /-rw-rw-rw-   1 ada ada +\d+ .*\/in\/a b\+c%\.txt\n[^]*\/in\/日本語\/テキスト\n/],
  [['-cp', `${at}/in`, `${at}/copy of`], /^$/], [['-mv', `${at}/copy of`, `${at}/d/moved+`], /^$/],
  [['-test', '-e', `${at}/copy of`], /^$/, 1], [['-test', '-d', `${at}/d/moved+`], /^$/], [['-test', '-z', `${at}/in/empty`], /^$/],
  [['-test', '-f', `${at}/d/moved+/\u{1f33e}.wheat`], /^$/], [['-test', '-s', `${at}/in/empty`], /^$/, 1],
  [['-du', '-s', `${at}/d/moved+`], new RegExp(`^${bytes} `)], [['-du', `${at}/in/deep`], /^5000 /],
  [['-get', `${at}/d/moved+`, `${out}/moved`], /^$/],
  [['-find', `${at}/in`, '-name', '*.txt'], /^.*\/in\/a b\+c%\.txt\n.*\/in\/plain\.txt\n.*e\.txt\n$/],
  [['-ls', `${at}/in/\\[br\\]*`], /^-rw.*\/in\/\[br\]\(ack\)\{et\}\n$/], [['-ls', `${at}/{in,d/moved+}/#hash`], /^-rw.*\n-rw.*\n$/],
  [['-stat', '%F %b %n', `${at}/in/q'u"o<t>e.txt`], /^regular file 4000 q'u"o<t>e\.txt\n$/],
  [['-touchz', `${at}/d/none`], /^$/], [['-cat', `${at}/d/none`], /^$/], [['-ls', `${at}/d/absent`], /No such file or directory/, 1],
  [['-put', `${tree}/plain.txt`, `${at}/in/~tilde`], /File exists/, 1], [['-put', '-f', `${tree}/plain.txt`, `${at}/in/~tilde`], /^$/],
  [['-test', '-z', `${at}/in/~tilde`], /^$/], [['-appendToFile', `${tree}/#hash`, `${at}/in/~tilde`], /not supported/, -1],
  [['-mkdir', `${at}/in/~tilde`], /File exists|not a directory/, 1], [['-rmdir', `${at}/d/e f`], /^$/],
  [['-rmdir', `${at}/d`], /not empty/, 1], [['-mv', `${at}/in/~tilde`, `${at}/d/moved+/deep`], /^$/],
  [['-test', '-e', `${at}/d/moved+/deep/~tilde`], /^$/], [['-getmerge', `${at}/in/.hidden`, `${out}/merged`], /^$/],
  [['-checksum', `${at}/in/empty`], /NONE/], [['-head', `${at}/in/empty`], /^$/], [['-tail', `${at}/in/empty`], /^$/],
  [['-copyFromLocal', '-f', '-t', '4', tree, `${at}/threads`], /^$/], [['-count', `${at}/threads`], new RegExp(` +${files} +${bytes} `)],
  [['-rm', `${at}/in/.hidden/.file`], /^Deleted/], [['-test', '-d', `${at}/in/.hidden`], /^$/], [['-rm', `${at}/d`], /is a directory/i, 1],
  [['-rm', '-r', '-skipTrash', `${at}/d`, `${at}/threads`], /^Deleted .*\nDeleted .*\n$/],
  [['-ls', `${at}/`], /^Found 1 items\ndrwx.*\/in\n$/],
]

/** Runs the commands in one JVM. Throws if any of them does not print what it must. */
async function runCommands(list: readonly Command[], env: Readonly<Record<string, string>>): Promise<void> {
  const { code, stdout, stderr } = await jars.run(['S3A', 'shell'], { env, input: list.map(([words]) => `${words.join('\t')}\n`).join('') })
  const results = stdout.split('\u0001').slice(1)
  if (code !== 0 || results.length !== list.length) throw new Error(`${results.length} of ${list.length} commands, exit ${code}: ${stderr}`)
  const wrong = list.flatMap(([words, printed, expected = 0], i) => {
    const [, found, text] = /^(-?\d+) ([^]*)$/.exec(results[i]!)!
    const right = Number(found) === expected && printed.test(text!)
    return right ? [] : [`hadoop fs ${words.join(' ')}: exit ${found}\n${text!.slice(0, 1000)}`]
  })
  if (wrong.length > 0) throw new Error(wrong.join('\n'))
}

async function runClass(words: readonly [main: string, ...args: string[]], env: Readonly<Record<string, string>>): Promise<void> {
  const { code, stdout, stderr } = await jars.run(words, { env })
  if (code !== 0) throw new Error(`${words.join(' ')}: exit ${code}\n${stdout}${stderr}`)
}

async function runS3a({ endpoint, url, key, dir }: S3aOptions): Promise<Row> {
  const client = `hadoop-client with s3a ${hadoopVersion}`
  const { missing } = jars
  if (missing !== undefined) return { client, result: missing }
  const [tree, out] = [join(dir, 's3a-tree'), join(dir, 's3a')]
  await rm(out, { recursive: true, force: true })
  await mkdir(out, { recursive: true })
  await makeTree(tree)
  await rm(join(tree, unreadable), { force: true })
  const env = { HADOOP_USER_NAME: 'ada', AWS_ACCESS_KEY_ID: key.id, AWS_SECRET_ACCESS_KEY: key.secret }
  await jars.configure({
    ...s3aProperties(endpoint), 'fs.s3a.multipart.size': '5M', 'fs.s3a.multipart.threshold': '5M', 'fs.s3a.paging.maximum': '100',
    'fs.s3a.bulk.delete.page.size': '100',
  })
  await jars.compile(join(root, 'test/interop/java/S3A.java'))
  const [at, web] = ['s3a://s3a-bucket', `${url.replace('http:', 'webhdfs:')}/s3a-bucket`]
  try {
    await runCommands(commands({ at, web, tree, out }), env)
    await runClass(['S3A', `${at}/api`], env)
    await runClass(['org.apache.hadoop.tools.DistCp', '-direct', '-update', `${web}/in`, `${at}/distcp`], env)
    await runCommands([
      [['-get', `${web}/in`, `${out}/in`], /^$/], [['-get', `${at}/distcp`, `${out}/distcp`], /^$/],
      [['-rm', '-r', '-skipTrash', `${at}/in`, `${at}/distcp`, `${at}/api`], /^(?:Deleted.*\n){3}$/],
      [['-ls', `${at}/`], /^$/], [['-rmdir', web], /^$/],
    ], env)
    for (const copy of ['s3a', 'webhdfs', 'moved']) await exec('diff', ['-r', tree, join(out, copy)])
    await exec('diff', ['-r', join(out, 'in'), join(out, 'distcp')])
    return { client, result: 'passed' }
  } catch (error) {
    console.log(`${client}: ${(error as Error).message.slice(0, 4000)}`)
    return { client, result: 'FAILED', failed: true }
  }
}

export const s3aPeers = (options: S3aOptions): Peers => ({ install: () => jars.install(), jobs: { s3a: () => runS3a(options) } })
