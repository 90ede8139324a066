// Version shown to users, exchanged between processes, and written into the package by its build (test/tidy/build.ts).

export const version = '0.1.0'
