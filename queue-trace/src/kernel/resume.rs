//! Goes on with what a former process has pinned.

use super::attach::{Attached, OBJECT, Settings};
use super::hooks::{Hook, Tier};
use super::layout::Layout;
use super::machine::Machine;
use super::objects::Objects;
use super::pins::Pins;
use super::programs::Took;
use super::{preflight, types};

/// What a former process has told of what it has pinned.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Former {
    /// By which means it has attached.
    pub tier: Tier,
    /// What it has loaded.
    pub layout: Layout,
    /// The programs of hooks that it left out.
    pub left_out: Vec<String>,
    /// Why, where the kernel had refused them.
    pub refused: Vec<String>,
}

impl Former {
    /// Of what is about to be pinned.
    #[must_use]
    pub fn of(attached: &Attached) -> Self {
        Self {
            tier: attached.plan.tier,
            layout: attached.layout.clone(),
            left_out: attached.left_out.iter().map(|program| (*program).to_owned()).collect(),
            refused: attached.plan.refused.clone(),
        }
    }
}

/// Takes over what is pinned, if it is what this process would load with these settings.
///
/// # Errors
///
/// Why not, in a few words.
pub fn resume(pins: &Pins, former: &Former, settings: &Settings) -> Result<Attached, String> {
    let tier = former.tier;
    if settings.wanted().is_some_and(|wanted| wanted != tier) {
        return Err("it is attached in another way".to_owned());
    }
    preflight::check().map_err(|error| error.to_string())?;
    let btf = types::read(settings.types.as_deref()).map_err(|error| error.to_string())?;
    let machine = Machine::look(&btf, settings.types.is_none())?;
    let left_out = |hook: &&Hook| former.left_out.iter().any(|program| program == hook.program);
    let refused: Vec<_> = tier.hooks().iter().filter(left_out).copied().collect();
    let (mut plan, config) = machine.plan(tier, &btf, &refused, settings)?;
    let layout = Layout::new(OBJECT, &plan, &config);
    if let Some(difference) = former.layout.difference(&layout) {
        return Err(difference.to_owned());
    }
    let (programs, links) = pins.take(&plan).map_err(|error| super::programs::chain(&*error))?;
    plan.refused.clone_from(&former.refused);
    Ok(Attached {
        objects: Objects::Pinned(programs),
        links,
        left_out: refused.iter().map(|hook| hook.program).collect(),
        layout,
        counting: true,
        scheduler: None,
        netns_cookies: config.offsets.netns_cookie != queue_trace_common::MISSING,
        plan,
        workers: settings.workers,
        took: Took::default(),
        leftovers: None,
    })
}
