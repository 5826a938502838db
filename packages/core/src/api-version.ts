/** Major version of the backend contract. It is also the major version of this package and of the registry. */
export const apiMajor = 1;

/** Version of the contract that this copy of the package describes, as `FactoryInput.apiVersion` hands it to backends. */
export const apiVersion = '1.0.0';
