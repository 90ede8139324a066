// Process with an embedded cluster of its own, or a client of another process's. Started by peer.ts; reads one JSON request per
// line on stdin and writes one JSON reply per line.

import { createInterface } from 'node:readline'
import { open } from '../../../client/index.ts'

async function serve(): Promise<void> {
  const mill = await open(process.argv[2])
  const commands: Record<string, (...args: string[]) => Promise<unknown>> = {
    write: (path, text) => mill.writeFile(path!, text!),
    read: path => mill.readFile(path!, 'utf8'),
    list: path => mill.readdir(path!),
    mkdir: path => mill.mkdir(path!),
    pid: async () => (await mill.clusterStatus()).pid,
    close: () => mill.close(),
  }

  process.stdout.write('{"ready":true}\n')
  for await (const line of createInterface({ input: process.stdin })) {
    const [command, ...args] = JSON.parse(line) as [string, ...string[]]
    try {
      process.stdout.write(`${JSON.stringify({ value: (await commands[command]!(...args)) ?? null })}\n`)
    } catch (error) {
      process.stdout.write(`${JSON.stringify({ code: (error as { code?: string }).code, message: String(error) })}\n`)
    }
  }
  await mill.close()
}

// No top-level await: in a bundle this file is CommonJS.
void serve()
