// A workflow of two datasets, one over the other, that is built every other minute.
import { workflow } from 'gristmill'

export default workflow({
  datasets: {
    '/s/words': { program: './wordcount.ts', input: '/in', reducers: 2 },
    '/s/lengths': { program: './lengths.ts', input: '/s/words' },
  },
  schedule: '*/2 * * * *',
})
