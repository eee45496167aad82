// The text of a style sheet, as a test reads it.
declare module "*.css?raw" {
  const text: string;
  export default text;
}
