// Package to the milliseconds that importing it took, as list-backends --json shows it.
export const importTimes = new Map();
