// The library in short: a file written, read line by line, and a job over it. Run it where words.ts is, a copy of wordcount.ts.
import { open } from 'gristmill'

await using mill = await open()              // or: await connect('gristmill://namenode:8620')
await mill.writeFile('/notes/today.txt', 'stored where it is ground\n', { parents: true })
for await (const line of mill.lines('/notes/today.txt')) console.log(line)
const job = await mill.run('words.ts', { input: '/notes', output: '/notes-words', overwrite: true })
console.log((await job.wait()).counters)
