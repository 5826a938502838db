import { attributeRegistrationsTo } from '@forgejo-runner/core';

// What registers from here on came with this package.
attributeRegistrationsTo({ package: 'PACKAGE', version: 'VERSION' });
