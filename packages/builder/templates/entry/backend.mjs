import './backend-begin.mjs';
import * as backend from 'PACKAGE';
import { attributeRegistrationsTo, factories } from '@forgejo-runner/core';
import { importTimes } from './import-times.mjs';

importTimes.set('PACKAGE', performance.now() - importTimes.get('PACKAGE'));
attributeRegistrationsTo(undefined);
// By name as well: a package may call itself free of side effects, and then its own registration is left out.
if (backend.factory !== undefined) {
  factories.register(backend.factory, { package: 'PACKAGE', version: 'VERSION' });
}
