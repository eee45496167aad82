// A form made from the JSON Schema of a component's configuration.
// In: schema and value. Out: the changed value through onChange; a member that was emptied is taken out. Texts, numbers, booleans and choices have fields of their own,
// lists of texts are one text a line, everything else is written as JSON; what is no JSON is said beside its field and changes nothing.
import { useId, useState } from "preact/hooks";
import type { Problem, Schema } from "../wire/messages";

export type Config = Record<string, unknown>;
type Field = "text" | "expression" | "number" | "boolean" | "choice" | "texts" | "json";

const PRESETS_SHOWN = 3;

export function fieldOf(schema: Schema): Field {
  if (schema.enum) return "choice";
  if (schema.format === "weir-expression" && schema.type === "string") return "expression";
  if (schema.type === "string") return "text";
  if (schema.type === "number" || schema.type === "integer") return "number";
  if (schema.type === "boolean") return "boolean";
  if (schema.type === "array" && schema.items?.type === "string" && !schema.items.enum) return "texts";
  return "json";
}

/** Members that a new unit begins with: the required ones that have a default. */
export const beginning = (schema: Schema): Config =>
  Object.fromEntries((schema.required ?? []).flatMap((name) => {
    const value = schema.properties?.[name]?.default;
    return value === undefined ? [] : [[name, value]];
  }));

export const missing = (schema: Schema, value: Config): string[] => (schema.required ?? []).filter((name) => value[name] === undefined);

interface Part {
  schema: Schema;
  value: Config;
  onChange: (value: Config) => void;
}

export function SchemaForm({ schema, value, onChange, problems }: Part & { problems: readonly Problem[] }) {
  const required = new Set(schema.required ?? []);
  const names = Object.entries(schema.properties ?? {}).sort(([a], [b]) => Number(required.has(b)) - Number(required.has(a)));
  const [all, setAll] = useState(false);
  const shown = names.filter(([name]) => all || required.has(name) || value[name] !== undefined || names.length <= 4);
  return (
    <div class="form">
      {names.length === 0 && schema.additionalProperties === false && <p class="quiet-text">It has no options.</p>}
      {names.length === 0 && schema.additionalProperties !== false && <WholeConfig value={value} onChange={onChange} />}
      {shown.map(([name, one]) => (
        <Entry key={name} name={name} schema={one} required={required.has(name)} value={value[name]} problems={problems.filter((problem) => concerns(problem, name))}
          onChange={(next) => onChange(next === undefined ? Object.fromEntries(Object.entries(value).filter(([known]) => known !== name)) : { ...value, [name]: next })} />
      ))}
      {shown.length < names.length && <button type="button" class="quiet" onClick={() => setAll(true)}>{`${names.length - shown.length} more options`}</button>}
    </div>
  );
}

/** Where no schema says what there is. */
function WholeConfig({ value, onChange }: { value: Config; onChange: (value: Config) => void }) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>Configuration</label>
      <JsonInput common={{ id }} hint="{}" value={value} onChange={(next) => onChange(typeof next === "object" && next !== null && !Array.isArray(next) ? (next as Config) : {})} />
    </div>
  );
}

const concerns = ({ place, message }: Problem, name: string): boolean => new RegExp(`(config[./]|/)${name}\\b`).test(place) || message.includes(`/${name}`);

function Entry({ name, schema, required, value, onChange, problems }: { name: string; schema: Schema; required: boolean; value: unknown; onChange: (value: unknown) => void; problems: readonly Problem[] }) {
  const id = useId();
  const field = fieldOf(schema);
  const presets = (schema.examples ?? []).filter((one) => typeof one === "string").slice(0, PRESETS_SHOWN) as string[];
  return (
    <div class={problems.length > 0 ? "field wrong" : "field"}>
      <label for={id}>{schema.title ?? name} <small>{[schema.title ? name : "", required ? "required" : ""].filter(Boolean).join(", ")}</small></label>
      <Input id={id} field={field} schema={schema} value={value} onChange={onChange} wrong={problems.length > 0} />
      {schema.description && <p class="about" id={`${id}-about`}>{schema.description}</p>}
      {(field === "text" || field === "expression") && value === undefined && presets.length > 0 && (
        <p class="presets">{presets.map((preset) => <button key={preset} type="button" class="quiet" onClick={() => onChange(preset)}><code>{preset}</code></button>)}</p>
      )}
      {problems.map((problem) => <p class="problem" role="alert" key={problem.message}>{`▲ ${problem.message}`}</p>)}
    </div>
  );
}

function Input({ id, field, schema, value, onChange, wrong }: { id: string; field: Field; schema: Schema; value: unknown; onChange: (value: unknown) => void; wrong: boolean }) {
  const common = { id, "aria-invalid": wrong, "aria-describedby": schema.description ? `${id}-about` : undefined };
  const hint = schema.default === undefined ? "" : typeof schema.default === "string" ? schema.default : JSON.stringify(schema.default);
  const text = (next: string): void => onChange(next === "" ? undefined : next);
  if (field === "choice") {
    return (
      <select {...common} value={value === undefined ? "" : String(value)} onChange={(event) => onChange((schema.enum ?? []).find((one) => String(one) === event.currentTarget.value))}>
        <option value="">{hint === "" ? "–" : `default: ${hint}`}</option>
        {(schema.enum ?? []).map((one) => <option key={String(one)} value={String(one)}>{String(one)}</option>)}
      </select>
    );
  }
  if (field === "boolean") return <input {...common} type="checkbox" checked={(value ?? schema.default) === true} onChange={(event) => onChange(event.currentTarget.checked)} />;
  if (field === "number") {
    return (
      <input {...common} type="number" step={schema.type === "integer" ? 1 : "any"} min={schema.minimum} max={schema.maximum} placeholder={hint} value={value === undefined ? "" : String(value)}
        onInput={(event) => onChange(Number.isFinite(event.currentTarget.valueAsNumber) ? event.currentTarget.valueAsNumber : undefined)} />
    );
  }
  if (field === "texts") {
    const lines = Array.isArray(value) ? value.join("\n") : "";
    return <textarea {...common} rows={Math.max(2, lines.split("\n").length)} placeholder="one a line" value={lines} onInput={(event) => onChange(event.currentTarget.value === "" ? undefined : event.currentTarget.value.split("\n"))} />;
  }
  if (field === "json") return <JsonInput common={common} hint={hint} value={value} onChange={onChange} />;
  return field === "expression"
    ? <textarea {...common} class="code" rows={2} spellcheck={false} placeholder={hint} value={value === undefined ? "" : String(value)} onInput={(event) => text(event.currentTarget.value)} />
    : <input {...common} type="text" spellcheck={false} placeholder={hint} value={value === undefined ? "" : String(value)} onInput={(event) => text(event.currentTarget.value)} />;
}

/** Keeps what is typed until it is JSON. */
function JsonInput({ common, hint, value, onChange }: { common: object; hint: string; value: unknown; onChange: (value: unknown) => void }) {
  const [draft, setDraft] = useState<string | null>(null);
  const [wrong, setWrong] = useState("");
  const shown = draft ?? (value === undefined ? "" : JSON.stringify(value, null, 1));
  const take = (next: string): void => {
    setDraft(next);
    try {
      onChange(next.trim() === "" ? undefined : JSON.parse(next));
      setWrong("");
    } catch (error) {
      setWrong(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <>
      <textarea {...common} class="code" spellcheck={false} rows={Math.min(12, Math.max(2, shown.split("\n").length))} placeholder={hint === "" ? "JSON" : hint} value={shown} onInput={(event) => take(event.currentTarget.value)} />
      {wrong !== "" && <p class="problem">{`no JSON yet: ${wrong}`}</p>}
    </>
  );
}
