//! Documents against a plain model: values of a library, each handle an explicit path. Used by tests and the fuzzer.

use serde_json::Value;
use zs_script::Footprint;

use super::{Documents, HANDLES_MAX, Place, Scalar};
use crate::json::document::ROOT;

const KEYS: [&str; 6] = ["", "a", "b", "key", "ü", "\"\n\u{1}"];
const TEXTS: [&str; 4] = [
    r#"{"a":{"b":[1,true,null]},"b":"x","a":{"key":[{"a":1},[2]]}}"#,
    r#"[[],{},"\u00fc\ud83d\ude00",-9223372036854775808]"#,
    "1.5",
    "{",
];

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Key(&'static str),
    Index(usize),
}

struct Handle {
    number: i64,
    document: usize,
    path: Vec<Step>,
}

/// What the documents should be.
#[derive(Default)]
struct Model {
    documents: Vec<Value>,
    handles: Vec<Handle>,
}

impl Model {
    fn value(&self, handle: usize) -> Option<&Value> {
        let Handle { document, path, .. } = &self.handles[handle];
        let root = &self.documents[*document];
        path.iter().try_fold(root, |value, step| match step {
            Step::Key(key) => value.as_object()?.get(*key),
            Step::Index(index) => value.as_array()?.get(*index),
        })
    }

    fn value_mut(&mut self, handle: usize) -> Option<&mut Value> {
        let Handle { document, path, .. } = &self.handles[handle];
        let root = &mut self.documents[*document];
        path.iter().try_fold(root, |value, step| match step {
            Step::Key(key) => value.as_object_mut()?.get_mut(*key),
            Step::Index(index) => value.as_array_mut()?.get_mut(*index),
        })
    }

    fn new_document(&mut self, number: i64, value: Value) {
        self.documents.push(value);
        self.handles.push(Handle {
            number,
            document: self.documents.len() - 1,
            path: Vec::new(),
        });
    }

    fn child(&mut self, number: i64, of: usize, step: Step) {
        let parent = &self.handles[of];
        let (document, mut path) = (parent.document, parent.path.clone());
        path.push(step);
        self.handles.push(Handle {
            number,
            document,
            path,
        });
    }
}

/// What the request was charged for is what is there.
fn check_charges(documents: &Documents, footprint: &Footprint) {
    let live = documents.slots.iter().filter(|slot| slot.handles > 0);
    let nodes: usize = live.map(|slot| slot.document.size(ROOT).bytes).sum();
    let paths = documents.handles.iter().map(|handle| match handle.place {
        Place::Node(_) => 0,
        Place::Path(_, bytes) => bytes,
    });
    assert_eq!(footprint.used(), nodes + paths.sum::<usize>());
}

/// A sequence of operations, four bytes each, does what it would do to plain trees, and is charged for.
///
/// # Panics
/// It does not.
pub fn fuzz_json_operations(bytes: &[u8]) {
    let mut documents = Documents::default();
    let mut footprint = Footprint::new(1 << 20);
    let mut model = Model::default();
    for operation in bytes.as_chunks().0.iter().take(500) {
        step(&mut documents, &mut footprint, &mut model, *operation);
        check_charges(&documents, &footprint);
    }
    for index in 0..model.handles.len() {
        check(&mut documents, &mut footprint, &model, index);
    }
    documents.clear(&mut footprint);
    assert_eq!(footprint.used(), 0);
}

fn check(documents: &mut Documents, footprint: &mut Footprint, model: &Model, index: usize) {
    let at = documents.find(model.handles[index].number, footprint).ok();
    let written = at.map(|at| documents.write(at, 1 << 20).unwrap());
    let written = written.map(|text| String::from_utf8(text).unwrap());
    assert_eq!(written, model.value(index).map(Value::to_string));
}

/// A new document.
fn make(
    documents: &mut Documents,
    footprint: &mut Footprint,
    model: &mut Model,
    (what, number): (u8, usize),
) {
    let full = model.handles.len() == HANDLES_MAX;
    let (made, value) = match what % 3 {
        0 => (documents.new_object(footprint), serde_json::json!({})),
        1 => (documents.new_array(footprint), serde_json::json!([])),
        _ => {
            let text = TEXTS[number % TEXTS.len()];
            let made = documents.parse(text.as_bytes(), footprint);
            let Ok(value) = serde_json::from_str(text) else {
                assert!(full || made == Ok(None));
                return;
            };
            (made.map(Option::unwrap), value)
        }
    };
    assert_eq!(made.is_err(), full);
    if let Ok(made) = made {
        model.new_document(made, value);
    }
}

fn step(
    documents: &mut Documents,
    footprint: &mut Footprint,
    model: &mut Model,
    [what, first, second, number]: [u8; 4],
) {
    let number = usize::from(number);
    if what % 16 < 3 || model.handles.is_empty() {
        make(documents, footprint, model, (what, number));
        return;
    }
    let handle = usize::from(first) % model.handles.len();
    let id = model.handles[handle].number;
    match what % 16 {
        3 => {
            assert_eq!(documents.free(id, footprint), Ok(()));
            assert!(documents.free(id, footprint).is_err());
            model.handles.remove(handle);
            return;
        }
        4 => {
            assert_eq!(documents.reset(id, footprint), Ok(()));
            model.handles[handle].path.clear();
            return;
        }
        _ => {}
    }
    let Ok(at) = documents.find(id, footprint) else {
        assert!(model.value(handle).is_none());
        return;
    };
    at_node(
        documents,
        footprint,
        model,
        at,
        [what % 16, first, second],
        number,
    );
}

/// An operation on a node that is there.
fn at_node(
    documents: &mut Documents,
    footprint: &mut Footprint,
    model: &mut Model,
    at: super::At,
    [what, first, second]: [u8; 3],
    number: usize,
) {
    let handle = usize::from(first) % model.handles.len();
    let other = usize::from(second) % model.handles.len();
    let key = KEYS[number % KEYS.len()];
    let target = model.value(handle).unwrap().clone();
    match what {
        5 | 6 => {
            let found = documents.member(at, key);
            assert_eq!(found.is_some(), target.get(key).is_some());
            if let Some(made) = found.and_then(|found| documents.handle(found).ok()) {
                model.child(made, handle, Step::Key(key));
            }
        }
        7 => {
            let found = documents.element(at, number as u64);
            assert_eq!(found.is_some(), target.get(number).is_some());
            if let Some(made) = found.and_then(|found| documents.handle(found).ok()) {
                model.child(made, handle, Step::Index(number));
            }
        }
        rest @ 8..12 => change(
            documents,
            footprint,
            model,
            (rest, handle, number),
            (at, target),
        ),
        rest => {
            let other_id = model.handles[other].number;
            let Ok(value) = documents.find(other_id, footprint) else {
                assert!(model.value(other).is_none());
                return;
            };
            if documents.bytes(value) > 2000 {
                return; // doubling each time
            }
            let copy = model.value(other).unwrap().clone();
            with_value(
                documents,
                footprint,
                model,
                (rest, handle, number),
                (at, value, copy),
            );
        }
    }
}

/// One node alone.
fn change(
    documents: &mut Documents,
    footprint: &mut Footprint,
    model: &mut Model,
    (what, handle, number): (u8, usize, usize),
    (at, target): (super::At, Value),
) {
    let full = model.handles.len() == HANDLES_MAX;
    let key = KEYS[number % KEYS.len()];
    match what {
        8 => {
            let removed = documents.remove(at, key, footprint).unwrap();
            let object = model.value_mut(handle).unwrap().as_object_mut();
            let expected = object.and_then(|object| object.remove(key));
            assert_eq!(removed, expected.is_some());
        }
        9 => {
            documents.set_string(at, key, footprint).unwrap();
            *model.value_mut(handle).unwrap() = key.into();
        }
        10 => {
            let scalar = Scalar::Integer(i64::try_from(number).unwrap());
            documents.set_scalar(at, scalar, footprint).unwrap();
            *model.value_mut(handle).unwrap() = number.into();
        }
        _ => {
            let copy = documents.copy(at, footprint).unwrap();
            let made = documents.adopt(copy, footprint);
            assert_eq!(made.is_err(), full);
            if let Ok(made) = made {
                model.new_document(made, target);
            }
        }
    }
}

type Two = (super::At, super::At, Value);

fn with_value(
    documents: &mut Documents,
    footprint: &mut Footprint,
    model: &mut Model,
    (what, handle, number): (u8, usize, usize),
    (at, value, copy): Two,
) {
    let key = KEYS[number % KEYS.len()];
    let target = model.value_mut(handle).unwrap();
    if what < 14 {
        let result = documents.set_member(at, key, value, footprint);
        let object = target.as_object_mut();
        assert_eq!(result.unwrap(), object.is_some());
        if let Some(object) = object {
            object.insert(key.to_owned(), copy);
        }
    } else if what == 14 {
        let length = documents.push(at, value, footprint).unwrap();
        let array = target.as_array_mut();
        let expected = array.map(|array| {
            array.push(copy);
            array.len()
        });
        assert_eq!(length, expected);
    } else if let Some(element) = documents.element(at, number as u64) {
        documents.replace(element, value, footprint).unwrap();
        target[number] = copy;
    }
}

/// A text is read as the library reads it, and written so that it is read as the same.
///
/// # Panics
/// It is not.
pub fn fuzz_json(bytes: &[u8]) {
    let mut documents = Documents::default();
    let mut footprint = Footprint::new(1 << 20);
    let Ok(parsed) = documents.parse(bytes, &mut footprint) else {
        return; // too large
    };
    let Some(handle) = parsed else {
        assert_eq!(footprint.used(), 0);
        assert!(serde_json::from_slice::<Value>(bytes).is_err());
        return;
    };
    check_charges(&documents, &footprint);
    let at = documents.find(handle, &mut footprint).unwrap();
    let written = documents.write(at, 1 << 24).unwrap();
    // The library reads no number beyond its own, and one level less.
    match (
        serde_json::from_slice::<Value>(bytes),
        serde_json::from_slice::<Value>(&written),
    ) {
        (Ok(read), Ok(again)) => assert_eq!(read, again),
        (Err(error), Err(_)) => {
            let reason = error.to_string();
            let known = ["number out of range", "recursion limit exceeded"];
            assert!(known.iter().any(|each| reason.contains(each)), "{reason}");
        }
        (read, again) => panic!("read {read:?}, written and read again {again:?}"),
    }
    let again = documents.parse(&written, &mut footprint).unwrap().unwrap();
    let again = documents.find(again, &mut footprint).unwrap();
    assert_eq!(documents.write(again, 1 << 24).unwrap(), written);
    documents.clear(&mut footprint);
    assert_eq!(footprint.used(), 0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn operations_do_what_a_plain_tree_would(bytes in prop::collection::vec(any::<u8>(), 0..1200)) {
            fuzz_json_operations(&bytes);
        }

        #[test]
        fn texts_are_read_as_a_library_reads_them(text_of in r#"[\[\]{}:, \n"\\a0-9.eE+u-]{0,40}|(true|null|"[a-e\\u]{0,4}"|-?[0-9]{1,21}|[\[\]{},:]){0,12}"#) {
            fuzz_json(text_of.as_bytes());
        }
    }
}
