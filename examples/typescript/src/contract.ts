import { existsSync, readFileSync } from "node:fs";
import { Ajv2020, type ErrorObject, type ValidateFunction } from "ajv/dist/2020.js";
import formats from "ajv-formats";

/** schemas/json of Member Notices: copy the folder into your project. */
const SCHEMAS = new URL("../../../schemas/json/", import.meta.url);

/** What every event of the contract has; the types of src/types say the rest of each. */
export interface CloudEvent {
  specversion: "1.0";
  id: string;
  source: string;
  type: string;
  subject: string;
  time: string;
  data: object;
}

/** The event does not fit its schema: which fields, and what each breaks; never a value. */
export class EventRefused extends Error {}

const ajv = new Ajv2020({ allErrors: true, strictTypes: false });
ajv.addVocabulary(["x-topic", "x-secret"]);
formats.default(ajv);

const compiled = new Map<string, ValidateFunction>();

/** The topic for the event, once it fits the schema of its type. Throws EventRefused. */
export function topicOf(event: CloudEvent): string {
  const validate = compiled.get(event.type) ?? compile(event.type);
  const fits: boolean = validate(event);
  if (!fits) throw new EventRefused(`${event.type}: ${why(validate.errors ?? [])}`);
  return (validate.schema as { "x-topic": string })["x-topic"];
}

function compile(type: string): ValidateFunction {
  const file = new URL(`${type}.json`, SCHEMAS);
  if (!existsSync(file)) throw new EventRefused(`${type}: type is not in the contract`);
  const validate = ajv.compile(JSON.parse(readFileSync(file, "utf8")));
  compiled.set(type, validate);
  return validate;
}

/** One complaint a field: the first, for the "or null" of the schemas only repeats it. */
function why(errors: ErrorObject[]): string {
  const told = new Map<string, string>();
  for (const { instancePath, keyword, message, params } of errors) {
    if (keyword === "if") continue; // what "then" asks for is told by itself
    const name = params.missingProperty ?? params.additionalProperty ?? params.propertyName;
    const field = [...instancePath.split("/").slice(1), ...(name ? [name] : [])].join(".");
    if (!told.has(field)) told.set(field, `${field}: ${message}`);
  }
  return [...told.values()].join("; ");
}
