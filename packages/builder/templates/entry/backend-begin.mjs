import { attributeRegistrationsTo } from '@forgejo-runner/core';
import { importTimes } from './import-times.mjs';

// What registers from here on came with this package.
attributeRegistrationsTo({ package: 'PACKAGE', version: 'VERSION' });
importTimes.set('PACKAGE', performance.now());
