// Tasks of nothing: each has one value, and leaves it out.
import { program } from 'gristmill'

export default program(
  (mill, { output, tasks }: { output: string, tasks: number }) => mill.range(tasks, { partitions: tasks }).filter(n => n < 0).save(output),
  { params: { tasks: 1000 } },
)
