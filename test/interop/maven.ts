// Jars of Maven for programs of the JVM, in a directory of the cache, and runs of these programs.

import { execFile, spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { cache, skipped } from './client.ts'

const exec = promisify(execFile)

export interface Dependency {
  readonly group: string
  readonly artifact: string
  readonly version: string
  /** Without what it depends on itself. */
  readonly alone?: boolean
}

interface RunOptions {
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Lines for its stdin. */
  readonly input?: string
  /** Options of the JVM. Default: a heap of 512 MiB. */
  readonly jvm?: readonly string[]
}

interface Ran { readonly code: number; readonly stdout: string; readonly stderr: string }

export class Jars {
  readonly dir: string
  readonly #dependencies: readonly Dependency[]

  /** `name`: directory of the cache. */
  constructor(name: string, dependencies: readonly Dependency[]) {
    this.dir = join(cache, name)
    this.#dependencies = dependencies
  }

  get #lib(): string { return join(this.dir, 'lib') }

  /** Result of a job whose programs cannot be run here; undefined: they can. */
  get missing(): string | undefined {
    if (!existsSync(this.#lib) || readdirSync(this.#lib).length === 0) return skipped
    return spawnSync('javac', ['-version'], { stdio: 'ignore' }).status === 0 ? undefined
      : 'SKIPPED: no Java; apt-get install openjdk-17-jdk-headless'
  }

  async install(): Promise<void> {
    await rm(this.#lib, { recursive: true, force: true })
    await mkdir(this.dir, { recursive: true })
    await writeFile(join(this.dir, 'pom.xml'), `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>x</groupId><artifactId>x</artifactId><version>1</version>
<dependencies>${this.#dependencies.map(xmlOf).join('')}</dependencies></project>`)
    await exec('mvn', ['-q', '-B', 'dependency:copy-dependencies', '-DoutputDirectory=lib'], { cwd: this.dir })
  }

  /** Writes the configuration of Hadoop, which it looks for on the class path. Its log is off. */
  async configure(properties: Readonly<Record<string, string>>): Promise<void> {
    const all = Object.entries({ 'hadoop.tmp.dir': join(this.dir, 'tmp'), ...properties })
    await writeFile(join(this.dir, 'core-site.xml'), `<configuration>${all.map(([name, value]) =>
      `<property><name>${name}</name><value>${value}</value></property>`).join('\n')}</configuration>`)
    await writeFile(join(this.dir, 'log4j.properties'), 'log4j.rootLogger=OFF\n')
  }

  async compile(source: string): Promise<void> {
    await exec('javac', ['-proc:none', '-cp', 'lib/*', '-d', this.dir, source], { cwd: this.dir })
  }

  /** Runs a class to its end, in the directory of the jars. */
  run(words: readonly [main: string, ...args: string[]], { env, input = '', jvm = ['-Xmx512m'] }: RunOptions = {}): Promise<Ran> {
    return new Promise(resolve => {
      const options = [...jvm, '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', `.${delimiter}lib/*`]
      const child = execFile('java', [...options, ...words], {
        cwd: this.dir, env: { ...process.env, ...env }, maxBuffer: 2 ** 26,
      }, (error, stdout, stderr) => { resolve({ code: error === null ? 0 : Number(error.code ?? 1), stdout, stderr }) })
      child.stdin!.on('error', () => {}).end(input)
    })
  }
}

function xmlOf({ group, artifact, version, alone = false }: Dependency): string {
  const any = '<groupId>*</groupId><artifactId>*</artifactId>'
  return `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version>${
    alone ? `<exclusions><exclusion>${any}</exclusion></exclusions>` : ''}</dependency>`
}
