// The library in one breath: a file written, read line by line, and a job over it.
import { open } from 'gristmill'

await using mill = await open()              // or: await connect('gristmill://namenode:8620')
await mill.writeFile('/notes/today.txt', 'stored where it is ground\n', { parents: true })
for await (const line of mill.lines('/notes/today.txt')) console.log(line)
const job = await mill.run('docs/examples/wordcount.ts', { input: '/notes', output: '/notes-words' })
console.log((await job.wait()).counters)
