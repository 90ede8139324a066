// gristmill:stream: Unix commands as mapper and reducer, the program that `gristmill stream` runs. Its steps are parameters.
import { commands } from 'gristmill'

export default commands()
