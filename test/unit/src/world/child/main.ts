// Child for tests of processes: acts as its first argument or its messages say.

import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { connectParent } from '../../../../../src/world/child.ts'

const parent = connectParent()
parent.onMessage(async message => {
  const { say } = message as { say: string }
  if (say === 'env') return parent.send({ env: { ...process.env }, args: process.argv.slice(2), cwd: process.cwd(), ppid: process.ppid })
  if (say === 'echo') return parent.send(message)
  if (say === 'output') { process.stdout.write('to stdout'); process.stderr.write('to stderr'); return parent.send('done') }
  if (say === 'last') { await parent.send('last words'); process.stdout.write('x'.repeat(100_000)); process.exit(7) }
  if (say === 'grandchild') return parent.send({ pid: spawn('sleep', ['1000'], { stdio: 'inherit' }).pid })
  if (say === 'write') {
    try {
      writeFileSync((message as { path: string }).path, 'x')
    } catch (error) {
      return parent.send((error as NodeJS.ErrnoException).code)
    }
    return parent.send('written')
  }
  if (say === 'fill') { const kept: unknown[] = []; for (;;) kept.push(Array.from({ length: 10_000 }, (_, i) => ({ i }))) }
  if (say === 'loop-beside') { await parent.send({ pid: spawn('sleep', ['1000'], { stdio: 'ignore' }).pid }); for (;;); }
  if (say === 'idle-beside') return parent.send({ pid: spawn('sleep', ['1000'], { stdio: 'ignore' }).pid })
  if (say === 'loop') { await parent.send('looping'); for (;;); }
})
await parent.send('ready')
