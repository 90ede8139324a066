// Variables of the environment by which test/mutation tells the test runner what to do.

/** JSON of a Mutant. */
export const mutantVariable = 'GRISTMILL_TEST_MUTANT'
/** JSON of the files whose functions say when they are entered. */
export const recordVariable = 'GRISTMILL_TEST_RECORD'
/** The directory that recordings go to. */
export const recordingsVariable = 'GRISTMILL_TEST_RECORDINGS'
