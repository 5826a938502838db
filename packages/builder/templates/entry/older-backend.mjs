import './backend-begin.mjs';
import * as backend from 'PACKAGE';
import { attributeRegistrationsTo, factories } from '@forgejo-runner/core';
import { adapt } from 'ADAPTER';
import { importTimes } from './import-times.mjs';

importTimes.set('PACKAGE', performance.now() - importTimes.get('PACKAGE'));
attributeRegistrationsTo(undefined);
// It is written for an older API: what it registered itself is in the registry of that one, where nobody looks.
if (backend.factory !== undefined) {
  factories.register(adapt(backend.factory), { package: 'PACKAGE', version: 'VERSION' });
}
