import { backendConformance } from '../src/vitest.ts';
import { referenceSubject } from './reference-subject.ts';

backendConformance({ ...referenceSubject(), title: 'the reference backend' });
