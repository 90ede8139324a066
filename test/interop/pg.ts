// Real clients of the PostgreSQL protocol against a gateway: psql of this system, drivers of Python, JavaScript and Java. They authenticate
// with an access key, by SCRAM.

import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import type { Mill } from '../../client/index.ts'
import { cache, ran, skipped, Venv, type Peers, type Row } from './client.ts'
import { jdbc, postgresJs, pythonClients, salesCsv } from './pgclients.ts'

const exec = promisify(execFile)
const venv = new Venv('pg-venv', ['psycopg[binary]', 'psycopg2-binary', 'asyncpg'])
const dir = join(cache, 'pg')
const driver = 'postgresql-42.7.8.jar'

interface PgPeersOptions {
  readonly mill: Mill
  /** `HOST:PORT` of the gateway. */
  readonly address: string
  /** Access key of the user `ada`. */
  readonly key: { readonly id: string; readonly secret: string }
}

async function install(): Promise<void> {
  await mkdir(dir, { recursive: true })
  await writeFile(join(dir, 'package.json'), '{"type":"module"}')
  await venv.install()
  await exec('npm', ['install', '--no-audit', '--no-fund', 'postgres@3'], { cwd: dir })
  const version = driver.slice('postgresql-'.length, -'.jar'.length)
  const goal = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy'
  await exec('mvn', ['-q', '-B', goal, `-Dartifact=org.postgresql:postgresql:${version}`, `-DoutputDirectory=${dir}`])
}

export function pgPeers({ mill, address, key: { id, secret } }: PgPeersOptions): Peers {
  const [host, port] = [address.slice(0, address.lastIndexOf(':')), address.slice(address.lastIndexOf(':') + 1)]
  const words = [host, port, id, secret] as const
  let filled: Promise<void> | undefined
  const fill = (): Promise<void> => filled ??= (async () => {
    await mill.mkdir('/pgc', { recursive: true })
    await mill.writeFile('/pgc/sales.csv', salesCsv, { format: 'csv' })
    await mill.sql(`CREATE OR REPLACE TABLE sales AS FROM '/pgc/sales.csv'`).collect()
  })()
  const job = (name: string, work: () => Promise<Row | undefined>) => async (): Promise<Row> => {
    await fill()
    return await work() ?? { client: name, result: skipped }
  }
  const python = ([name, text]: readonly [string, string]) => [name, job(name, async () => {
    const version = await venv.version(name)
    return version === undefined ? undefined : ran(`${name} ${version}`, [venv.python, '-c', text, ...words])
  })] as const
  return {
    install,
    jobs: {
      psql: job('psql', () => psql(words)),
      ...Object.fromEntries(Object.entries(pythonClients).map(python)),
      'postgres.js': job('postgres.js', async () => {
        const packed = join(dir, 'node_modules/postgres/package.json')
        if (!existsSync(packed)) return undefined
        const { version } = JSON.parse(await readFile(packed, 'utf8')) as { version: string }
        await writeFile(join(dir, 'client.mjs'), postgresJs)
        return ran(`postgres.js ${version}`, [process.execPath, join(dir, 'client.mjs'), ...words])
      }),
      'JDBC': job('JDBC', async () => {
        if (!existsSync(join(dir, driver))) return undefined
        await writeFile(join(dir, 'Jdbc.java'), jdbc)
        const path = [join(dir, driver), dir].join(delimiter)
        return ran(`JDBC ${driver}`, ['java', '-Xmx256m', '-cp', path, join(dir, 'Jdbc.java'), ...words])
      }),
    },
  }
}

/** Rows, the lists of its backslash commands, a variable, COPY to its output, and an error. */
async function psql([host, port, user, password]: readonly [string, string, string, string]): Promise<Row | undefined> {
  const version = await exec('psql', ['--version']).then(({ stdout }) => /[\d.]+/.exec(stdout)?.[0], () => undefined)
  if (version === undefined) return undefined
  const ask = async (...more: string[]): Promise<string> => {
    const args = ['-X', '-A', '-t', '-h', host, '-p', port, '-U', user, '-d', 'x', '-v', 'ON_ERROR_STOP=1', ...more]
    return (await exec('psql', args, { env: { ...process.env, PGPASSWORD: password } })).stdout
  }
  const client = `psql ${version}`
  try {
    const found = [
      await ask('-c', `SELECT city, count(tonnes) FROM '/pgc/sales.csv' GROUP BY city ORDER BY city`),
      (await ask('-c', `COPY (SELECT id FROM sales) TO STDOUT`)).trimEnd().split('\n').length,
      /public\|sales\|table/.test(await ask('-c', '\\d')), /tonnes\|double precision/.test(await ask('-c', '\\d sales')),
      /ada|x/.test(await ask('-c', '\\l')), await ask('-v', 'n=3', '-c', 'SELECT count(*) FROM sales'),
      (await ask('-v', 'FETCH_COUNT=700', '-c', 'SELECT id FROM sales')).trimEnd().split('\n').length,
      await ask('-c', 'SELECT nope FROM sales').catch((error: { stderr: string }) => /nope/.test(error.stderr)),
    ]
    const expected = [`b'ern ü|1285\nulm|1286\n`, 3000, true, true, true, '3000\n', 3000, true]
    if (JSON.stringify(found) === JSON.stringify(expected)) return { client, result: 'passed' }
    console.log(`${client}: ${JSON.stringify(found)} instead of ${JSON.stringify(expected)}`)
  } catch (error) {
    console.log(`${client}: ${String(error)}`)
  }
  return { client, result: 'FAILED', failed: true }
}
