/** Version of this package. A bundle has no `package.json` to ask; a test compares the two. */
export const runnerVersion = '1.0.0';
