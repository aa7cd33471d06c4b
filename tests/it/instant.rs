//! Values of PromQL expressions over one page: of those that need no samples of the past.

use std::collections::BTreeMap;

use promql_parser::parser::{self, Expr, LabelModifier, VectorMatchCardinality};

use crate::alert_rules::alerts;
use crate::support::Samples;

type Labels = BTreeMap<String, String>;
type Vector = Vec<(Labels, f64)>;

/// The alerts whose expressions hold for a page, without their `for`; those that need the past are left out.
pub fn firing(page: &Samples) -> Vec<String> {
    let holds = |expression: &str| {
        let expression = parser::parse(expression).unwrap();
        value(&expression, page).is_some_and(|vector| !vector.is_empty())
    };
    alerts().into_iter().filter(|rule| holds(&rule.expr)).map(|rule| rule.alert).collect()
}

/// The labels of a series as written, whose values need no escapes.
fn labels(written: &str) -> Labels {
    let inner = written.strip_prefix('{').and_then(|text| text.strip_suffix("\"}")).unwrap_or_default();
    inner.split("\",").filter_map(|pair| pair.split_once("=\"")).map(|(k, v)| (k.into(), v.into())).collect()
}

/// The vector of an expression; a number has no labels. None if the expression needs more than a page.
fn value(expression: &Expr, page: &Samples) -> Option<Vector> {
    match expression {
        Expr::NumberLiteral(number) => Some(vec![(Labels::new(), number.val)]),
        Expr::Paren(inner) => value(&inner.expr, page),
        Expr::VectorSelector(selector) if selector.offset.is_none() => {
            let all =
                page.of_metric(selector.name.as_deref()?).map(|(written, value)| (labels(written), value));
            let matchers = &selector.matchers.matchers;
            let wanted = |labels: &Labels| {
                let of = |name: &str| labels.get(name).map_or("", String::as_str);
                matchers.iter().all(|matcher| matcher.is_match(of(&matcher.name)))
            };
            Some(all.filter(|(labels, _)| wanted(labels)).collect())
        }
        Expr::Aggregate(aggregate) => {
            let Some(LabelModifier::Exclude(without)) = &aggregate.modifier else { return None };
            let mut groups: BTreeMap<Labels, Vec<f64>> = BTreeMap::new();
            for (mut labels, value) in value(&aggregate.expr, page)? {
                labels.retain(|name, _| !without.labels.contains(name));
                groups.entry(labels).or_default().push(value);
            }
            let fold = |values: &[f64]| match aggregate.op.to_string().as_str() {
                "sum" => Some(values.iter().sum()),
                "max" => values.iter().copied().reduce(f64::max),
                "min" => values.iter().copied().reduce(f64::min),
                _ => None,
            };
            groups.into_iter().map(|(labels, values)| Some((labels, fold(&values)?))).collect()
        }
        Expr::Call(call) if call.func.name == "clamp_min" => {
            let [vector, least] = &*call.args.args else { return None };
            let (vector, least) = (value(vector, page)?, value(least, page)?[0].1);
            Some(vector.into_iter().map(|(labels, value)| (labels, value.max(least))).collect())
        }
        Expr::Binary(binary) => {
            let modifier = binary.modifier.clone().unwrap_or_default();
            let (left, right) = (value(&binary.lhs, page)?, value(&binary.rhs, page)?);
            let scalar = |expression: &Expr| matches!(expression, Expr::NumberLiteral(_));
            let joined = |labels: &Labels| match &modifier.matching {
                _ if scalar(&binary.lhs) || scalar(&binary.rhs) => Labels::new(),
                Some(LabelModifier::Exclude(ignored)) => {
                    let kept = labels.iter().filter(|(name, _)| !ignored.labels.contains(name));
                    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
                }
                _ => labels.clone(),
            };
            let op = binary.op.to_string();
            let partner = |labels: &Labels, of: &Vector| {
                of.iter().find(|(other, _)| joined(other) == joined(labels)).map(|(_, value)| *value)
            };
            if ["and", "unless", "or"].contains(&op.as_str()) {
                let keeps = |(labels, _): &(Labels, f64)| partner(labels, &right).is_some() == (op == "and");
                return Some(match op.as_str() {
                    "or" => {
                        let more =
                            right.iter().filter(|(labels, _)| partner(labels, &left).is_none()).cloned();
                        left.iter().cloned().chain(more).collect()
                    }
                    _ => left.iter().filter(|sample| keeps(sample)).cloned().collect(),
                });
            }
            let from_right =
                matches!(modifier.card, VectorMatchCardinality::OneToMany(_)) || scalar(&binary.lhs);
            let (many, one) = if from_right { (&right, &left) } else { (&left, &right) };
            let results = many.iter().filter_map(|(labels, of_many)| {
                let of_one = partner(labels, one)?;
                let (a, b) = if from_right { (of_one, *of_many) } else { (*of_many, of_one) };
                let result = match op.as_str() {
                    "-" => a - b,
                    "+" => a + b,
                    "*" => a * b,
                    "==" => return (a == b).then(|| (labels.clone(), a)),
                    ">" => return (a > b).then(|| (labels.clone(), a)),
                    ">=" => return (a >= b).then(|| (labels.clone(), a)),
                    "<" => return (a < b).then(|| (labels.clone(), a)),
                    _ => panic!("{op} is not known"),
                };
                Some((labels.clone(), result))
            });
            Some(results.collect())
        }
        Expr::VectorSelector(_) | Expr::Call(_) | Expr::Unary(_) | Expr::StringLiteral(_) => None,
        Expr::MatrixSelector(_) | Expr::Subquery(_) | Expr::Extension(_) => None,
    }
}
