// Real clients of WebHDFS against a gateway, and the gateway against a real HDFS: the same requests go to both, and answers are compared
// field by field.

import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { ran, skipped, Venv, type Peers, type Row } from './client.ts'
import { configureHadoop, hadoop, hadoopVersion, hasHadoop, installHadoop, startHdfs } from './hadoop.ts'
import { pythonClients } from './webhdfsclients.ts'
import { differences, requests } from './requests.ts'

const exec = promisify(execFile)
const venv = new Venv('venv', ['fsspec', 'requests', 'hdfs', 'pywebhdfs'])
interface WebHdfsPeersOptions {
  readonly url: string
  /** Access key of the user `ada`. */
  readonly key: { readonly id: string; readonly secret: string }
}

async function compare(gateway: string): Promise<Row> {
  const client = `HDFS ${hadoopVersion}, ${requests.length} requests to both`
  if (!hasHadoop()) return { client, result: skipped }
  const hdfs = await startHdfs()
  try {
    const found = await differences({ hdfs: hdfs.url, gateway })
    for (const line of found) console.log(`  differs: ${line}`)
    return { client, result: found.length === 0 ? 'equal' : `${found.length} differ`, failed: found.length > 0 }
  } finally {
    await hdfs.end()
  }
}

async function runPython(client: string, script: string, { url, key }: WebHdfsPeersOptions): Promise<Row> {
  const version = await venv.version(client)
  return version === undefined
    ? { client, result: skipped }
    : ran(`${client} ${version}`, [venv.python, '-c', script, url, key.id, key.secret])
}

/** Commands of `hdfs dfs`, in order, with what each must print. */
const shellCommands = (at: string, local: string): readonly (readonly [words: string, printed: RegExp, code?: number])[] => [
  [`-mkdir -p ${at}/j/d`, /^$/], [`-put ${local} ${at}/j/d/f`, /^$/], [`-cat ${at}/j/d/f`, /^hello world\n$/],
  [`-appendToFile ${local} ${at}/j/d/f`, /^$/], [`-stat %b:%r:%u ${at}/j/d/f`, /^24:1:ada\n$/],
    [`-checksum ${at}/j/d/f`, /MD5-of-0MD5-of-512CRC32C/],
  [`-mv ${at}/j/d/f ${at}/j/d/g`, /^$/], [`-cp ${at}/j/d/g ${at}/j/d/h`, /^$/], [`-ls -R ${at}/j`, /\/j\/d\/g\n[^]*\/j\/d\/h\n$/],
  [`-setfattr -n user.x -v 12 ${at}/j/d/g`, /^$/], [`-getfattr -d ${at}/j/d/g`, /user.x="12"/], [`-chmod 600 ${at}/j/d/g`, /^$/],
  [`-put ${local} ${at}/j/d/i`, /^$/], [`-cp ${at}/j/d/h ${at}/j/d/k`, /^$/], [`-concat ${at}/j/d/i ${at}/j/d/h ${at}/j/d/k`, /^$/],
  [`-cat ${at}/j/d/i`, /^(?:hello world\n){5}$/], [`-truncate -w 53 ${at}/j/d/i`, /^Trunc/],
  [`-cat ${at}/j/d/i`, /^(?:hello world\n){4}hello$/],
  [`-mv ${at}/j/d/i ${at}/j/d/h`, /^$/],
  [`-setfacl -m user:bob:r-x,mask::r--,default:user:bob:rwx ${at}/j/d`, /^$/],
  [`-getfacl ${at}/j/d`, /\nuser:bob:r-x\t#effective:r--\n[^]*\ndefault:user:bob:rwx\n/], [`-put ${local} ${at}/j/d/acl`, /^$/],
  [`-getfacl ${at}/j/d/acl`, /\nuser:bob:rwx\t#effective:rw-\ngroup::r-x\t#effective:r--\nmask::rw-\nother::r--\n/],
  [`-ls ${at}/j/d`, /^-rw-rw-r--\+ .*\/acl$/m],
  [`-setfacl -x user:bob ${at}/j/d/acl`, /^$/], [`-setfacl -k ${at}/j/d`, /^$/], [`-setfacl -b ${at}/j/d`, /^$/],
  [`-setfacl --set user::rw-,user:eve:r--,group::---,other::--- ${at}/j/d/acl`, /^$/],
  [`-getfacl -R ${at}/j/d`, /acl\n# owner: ada\n# group: .*\nuser::rw-\nuser:eve:r--\ngroup::---\nmask::r--\nother::---\n/],
  [`-rm -skipTrash ${at}/j/d/acl`, /^Deleted/],
  [`-count ${at}/j`, /^\s+2\s+2\s+77 /], [`-cat ${at}/j/none`, /No such file or directory/, 1], [`-rm ${at}/j/d/h`, /^Deleted/],
]

/** Runs a program of Hadoop as the user `ada`. */
async function runHadoop(main: string, words: readonly string[]): Promise<{ code: number; text: string }> {
  const dir = hadoop
  const ran = await exec('java', [
    '-Xmx300m', '-cp', `.${delimiter}lib/*`, main, '-Ddfs.replication=1', `-Dhadoop.tmp.dir=${join(dir, 'tmp')}`, ...words,
  ], {
    cwd: dir, env: { ...process.env, HADOOP_USER_NAME: 'ada' },
  }).catch((error: unknown) => error as { code: number; stdout: string; stderr: string })
  return { code: 'code' in ran ? ran.code : 0, text: ran.stdout + ran.stderr }
}

async function runShell(url: string): Promise<Row> {
  const client = `hdfs dfs ${hadoopVersion}`
  if (!hasHadoop()) return { client, result: skipped }
  const dir = hadoop
  const local = join(dir, 'hello')
  await writeFile(local, 'hello world\n')
  await configureHadoop(dir)
  for (const [words, printed, expected = 0] of shellCommands(url.replace('http:', 'webhdfs:'), local)) {
    const { code, text } = await runHadoop('org.apache.hadoop.fs.FsShell', words.split(' '))
    if (code === expected && printed.test(text)) continue
    console.log(`  hdfs dfs ${words}: ${text.slice(0, 1000)}`)
    return { client, result: `FAILED: ${words}`, failed: true }
  }
  return { client, result: 'passed' }
}

/** A tree with a file of several blocks, copied within the gateway, with checksums compared; then once more, with nothing to copy. */
async function runDistcp(url: string): Promise<Row> {
  const client = `distcp ${hadoopVersion}`
  if (!hasHadoop()) return { client, result: skipped }
  const dir = hadoop
  await configureHadoop(dir)
  const local = join(dir, 'tree')
  await mkdir(join(local, 'a b'), { recursive: true })
  await writeFile(join(local, 'a b/large'), Buffer.alloc(3_000_000, 'rye and oats\n'))
  await writeFile(join(local, 'small'), 'hello world\n')
  await writeFile(join(local, 'empty'), '')
  const at = url.replace('http:', 'webhdfs:')
  for (const [main, ...words] of [
    ['fs.FsShell', '-D', 'dfs.blocksize=1048576', '-put', '-f', local, `${at}/distcp`],
    ['tools.DistCp', '-pbug', '-update', `${at}/distcp`, `${at}/copied`],
    ['tools.DistCp', '-pbug', '-update', `${at}/distcp`, `${at}/copied`],
  ] as const) {
    const { code, text } = await runHadoop(`org.apache.hadoop.${main}`, words)
    if (code === 0) continue
    console.log(`  ${main} ${words.join(' ')}: ${text.slice(-2000)}`)
    return { client, result: `FAILED: ${main} ${words[0]}`, failed: true }
  }
  const sums = await Promise.all(['distcp', 'copied'].map(async name =>
    (await runHadoop('org.apache.hadoop.fs.FsShell', ['-checksum', `${at}/${name}/*/large`, `${at}/${name}/small`])).text
      .replaceAll(/\S*\/(?:distcp|copied)\//g, '')))
  const equal = sums[0] === sums[1] && /MD5-of-2048MD5/.test(sums[0]!)
  if (!equal) console.log(`  checksums: ${sums.join('\n')}`)
  return { client, result: equal ? 'passed' : 'FAILED: checksums', failed: !equal }
}

async function install(): Promise<void> {
  await venv.install()
  await installHadoop()
}

export const webHdfsPeers = (options: WebHdfsPeersOptions): Peers => ({
  install,
  jobs: {
    ...Object.fromEntries(Object.entries(pythonClients).map(([name, script]) => [name, () => runPython(name, script, options)])),
    shell: () => runShell(options.url),
    distcp: () => runDistcp(options.url),
    compare: () => compare(options.url),
  },
})
