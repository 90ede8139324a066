// Parent for tests of processes: starts a child that loops for ever, prints its pid or that of a process started by it, and waits to be
// killed.

import { childProcesses } from '../../../../../src/world/process.ts'

const child = childProcesses.start({
  main: new URL('main.ts', import.meta.url),
  args: [],
  env: {},
  cwd: process.cwd(),
  heapBytesMax: 64 << 20,
  onOutput() {},
  onMessage(message) {
    if (message === 'ready') child.send({ say: process.argv[2] })
    else process.stdout.write(`${(message as { pid?: number }).pid ?? child.pid}\n`)
  },
  onExit() {},
})
if (process.argv[2] === 'idle') setTimeout(() => process.stdout.write(`${child.pid}\n`), 300)
process.on('SIGUSR2', () => process.stdout.write('here\n'))
setInterval(() => {}, 1000)
