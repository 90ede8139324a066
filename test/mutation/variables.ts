// Variables of the environment by which test/mutation tells the test runner what to do.

/** JSON of the Mutant that every test file is to meet; empty: none yet. Read each time a source is compiled. */
export const mutantVariable = 'GRISTMILL_TEST_MUTANT'
/** JSON of the files whose functions say when they are entered. */
export const recordVariable = 'GRISTMILL_TEST_RECORD'
/** The directory that recordings go to. */
export const recordingsVariable = 'GRISTMILL_TEST_RECORDINGS'
