// A workflow of four datasets: two over text, one over an output, and one over two outputs that needs a file beside them.
import { workflow } from 'gristmill'

export default workflow({
  datasets: {
    '/b/words': { program: './wordcount.ts', input: '/in', reducers: 2 },
    '/b/ranked': { program: './ranked.ts', input: '/in/t0' },
    '/b/lengths': { program: './lengths.ts', input: '/b/words', reducers: 2 },
    '/b/paired': { program: './paired.ts', input: ['/b/ranked', '/b/lengths'], needs: '/in/t1' },
  },
  schedule: '* * * * *',
})
