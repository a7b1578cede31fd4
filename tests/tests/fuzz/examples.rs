//! What the description of the API names as often asked.

use std::path::Path;

use crate::samples::Samples;

/// The example of each body, called by its schema.
pub(crate) fn bodies() -> Samples {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../agent/openapi.json");
    let text = std::fs::read_to_string(&path).expect("the description");
    let description: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let schemas = description["components"]["schemas"].as_object().expect("schemas");
    let examples = schemas.iter().filter_map(|(name, schema)| {
        let example = schema["examples"].get(0)?;
        Some((format!("example-{}", name.to_lowercase()), example.to_string().into_bytes()))
    });
    let examples: Samples = examples.collect();
    assert!(examples.len() > 20, "{} examples", examples.len());
    examples
}
