/// <reference lib="es2024" preserve="true" />
/// <reference lib="esnext.disposable" preserve="true" />

// The builder checks a backend without Node's types. A global that does not resolve there becomes `any`, and a check
// against `any` passes whatever the backend asks for. These empty declarations merge with the real ones where they are.
declare global {
  // oxlint-disable-next-line typescript/no-empty-object-type -- only its existence matters, see above
  interface AbortSignal {}
}

export {};
