// Entry point of an executor process. Connects the process (exit, output, uncaught errors) to the `TaskRunnerChild` (child.ts) that runs
// its tasks, then waits for tasks. Started by executor.ts with an empty environment. The directory for compiled code is an argument; all
// other modules are loaded after the compile cache is enabled.

import childProcess from 'node:child_process'
import { enableCompileCache, flushCompileCache, syncBuiltinESMExports } from 'node:module'
import { connectParent } from '../../src/world/child.ts'
import type { TaskRunnerChild } from './child.ts'
import type { FromExecutor, ToExecutor } from './messages.ts'

const parent = connectParent()
enableCompileCache(process.argv[2])

const send = (message: FromExecutor): Promise<void> => parent.send(message)
const waiting: ToExecutor[] = []
let take = (message: ToExecutor): void => { waiting.push(message) }
parent.onMessage(message => take(message as ToExecutor))

async function begin(): Promise<void> {
  const [
    { TaskRunnerChild: Child }, { watchGlobals }, { localDisk }, { systemClock }, { systemNet }, { seeded, systemRandom }, { watchStarted },
    { systemCommands }, { programGlobals: globals },
  ] = await Promise.all([
    import('./child.ts'), import('../../src/world/globals.ts'), import('../../src/world/disk.ts'), import('../../src/world/clock.ts'),
    import('../../src/world/net.ts'), import('../../src/world/random.ts'), import('../../src/world/started.ts'),
    import('../../src/world/command.ts'), import('../../src/world/programglobals.ts'),
  ])

  tellSpawns()
  const child = new Child({
    clock: systemClock, disk: localDisk, random: systemRandom(), net: systemNet, seeded,
    print: (...parts) => console.log(...parts),
    started: watchStarted(), globals, commands: systemCommands,
    openDatabase: async options => (await import('../../src/world/duckdb.ts')).openDuckDB(options),
    httpFetch: async request => (await import('../../src/world/httpfetch.ts')).httpFetch(request),
    loadAvro: async () => (await import('../../src/world/avro.ts')).loadAvro(), isChanged: () => isChanged(),
    setEnvironment(env) {
      for (const name of Object.keys(process.env)) if (!(name in env)) delete process.env[name]
      Object.assign(process.env, env)
    },
    send,
  })

  redirectOutput(child)
  endWithProcess(child)
  const isChanged = watchGlobals()
  Error.stackTraceLimit = 50

  take = message => { void child.run(message) }
  for (const message of waiting.splice(0)) take(message)
  await send({ kind: 'ready' })
  // Kept now, for most of these processes are killed: the next one is warm in a third of the time. Nothing of a program is loaded yet.
  flushCompileCache()
}

/**
 * Tells the datanode of the first process that the program starts. Such a process is in this one's group, or its child: it ends with the
 * job.
 */
function tellSpawns(): void {
  let told = false
  const spawned = (): void => {
    if (told) return
    told = true
    send({ kind: 'spawned' }).catch(() => {})
  }
  const { spawn } = childProcess.ChildProcess.prototype as unknown as { spawn: (...args: unknown[]) => unknown }
  Object.assign(childProcess.ChildProcess.prototype, {
    spawn(this: unknown, ...args: unknown[]): unknown {
      spawned()
      return spawn.apply(this, args)
    },
  })
  for (const name of ['spawnSync', 'execSync', 'execFileSync'] as const) {
    const start = childProcess[name] as (...args: unknown[]) => unknown
    Object.assign(childProcess, { [name]: (...args: unknown[]): unknown => { spawned(); return start(...args) } })
  }
  syncBuiltinESMExports()
}

/**
 * Sends what the program prints, by any way, to the log of its attempt. Written at once, so nothing waits in memory; callbacks come later,
 * as Node promises. console.log passes the same callback each time, and a loop that prints without end lets none run: equal ones in a row
 * are counted.
 */
function redirectOutput(child: TaskRunnerChild): void {
  const callbacks: Array<{ readonly call: () => void; count: number }> = []
  const callLater = (call: () => void): void => {
    const last = callbacks.at(-1)
    if (last?.call === call) {
      last.count++
      return
    }
    callbacks.push({ call, count: 1 })
    if (callbacks.length > 1) return
    process.nextTick(() => {
      for (const { call: now, count } of callbacks.splice(0)) for (let i = 0; i < count; i++) now()
    })
  }
  for (const stream of [process.stdout, process.stderr]) {
    stream.write = ((
      chunk: string | Uint8Array,
      encoding?: BufferEncoding | ((error?: Error) => void),
      done?: (error?: Error) => void,
    ): boolean => {
      const [code, callback] = typeof encoding === 'function' ? [undefined, encoding] : [encoding, done]
      child.print(typeof chunk === 'string' ? Buffer.from(chunk, code) : chunk)
      if (callback) callLater(callback)
      return true
    }) as typeof stream.write
  }
}

/** A program that ends its process, or lets an error escape, fails its attempt with the place of the call. */
function endWithProcess(child: TaskRunnerChild): void {
  const exit = process.exit.bind(process)
  process.exit = ((code?: number): never => {
    child.fatal(new Error(`process.exit(${code ?? ''}) was called; a task ends by itself when its input does`))
    return exit(code)
  }) as typeof process.exit
  process.on('uncaughtException', error => { child.fatal(error); exit(1) })
  process.on('unhandledRejection', error => { child.fatal(error); exit(1) })
}

// No top-level await: in a bundle this file is CommonJS.
void begin()
