//! Founding, invitations, devices, admins.

use seatkeeper_protocol::id::{DeviceId, InviteId, Name, PublicKey};
use seatkeeper_protocol::limits;
use seatkeeper_protocol::time::WallTime;

use crate::command::{AdminRole, DeviceInfo, DeviceSettings, Found, InviteKey, Outcome, Refusal};
use crate::inventory::MachineId;
use crate::keys::check_sealed;
use crate::ledger::{Answer, Ledger, Moment, limit};
use crate::memory::ActorKey;
use crate::records::Happening;
use crate::state::{Admin, DeviceRecord, INVITE_USES_MAX, Invite, PoolKey, Revoked, Site};

/// An invitation is forgotten this long after its end: by then no step of the site's time brings it back.
const INVITE_FORGET_AFTER_MS: i64 = 24 * 60 * 60 * 1_000;
/// Admins that were removed and whose requests stay refused.
const REMOVED_ADMINS_MAX: usize = 4_096;

impl Ledger {
    pub(crate) fn found(&mut self, moment: Moment, holder: DeviceId, found: &Found) -> Answer {
        if let Some(site) = &self.state.site {
            if site.root == found.root && site.generation == found.generation {
                return Ok(Outcome::Done);
            }
            return Err(Refusal::Conflict(format!(
                "the site {} is founded on this ledger already",
                site.name
            )));
        }
        let device = found.device.device();
        if holder != device {
            return Err(Refusal::NotPermitted("a site is founded by its first device".into()));
        }
        check_sealed(&found.sealed_root)?;
        check_sealed(&found.sealed_pool_key)?;
        found.certificate.verify(&found.root).map_err(|error| Refusal::Invalid(error.to_string()))?;
        if found.certificate.generation != found.generation {
            return Err(Refusal::Invalid("the pool key is for another generation of the site".into()));
        }
        self.state.site = Some(Site {
            id: found.root.site(),
            name: found.name.clone(),
            root: found.root,
            generation: found.generation,
            sealed_root: found.sealed_root.clone(),
            founded: moment.time,
        });
        self.state.records.begin(&found.root.site());
        self.state.pool_key = Some(PoolKey {
            certificate: found.certificate.clone(),
            sealed: [(device, found.sealed_pool_key.clone())].into(),
            exposed: false,
        });
        self.enroll(moment, &found.device, &found.info);
        let admin = Admin { key: found.admin_key, role: AdminRole::Admin };
        self.state.admins.insert(found.admin.clone(), admin);
        self.record(moment, Happening::Founded { name: found.name.clone(), admin: found.admin.clone() });
        Ok(Outcome::Done)
    }

    // Devices.

    pub(crate) fn admit_invited(
        &mut self,
        moment: Moment,
        id: &InviteId,
        key: &PublicKey,
        info: &DeviceInfo,
    ) -> Answer {
        if self.state.devices.contains_key(&key.device()) {
            return Ok(Outcome::Done);
        }
        self.check_new_device(key)?;
        let Some(invite) = self.state.invites.get_mut(id) else {
            return Err(Refusal::NotFound("invitation with this code; ask an admin for a new one".into()));
        };
        if moment.time >= invite.ends {
            return Err(Refusal::NotPermitted(
                "the invitation's time is over; ask an admin for a new one".into(),
            ));
        }
        if invite.used >= invite.uses {
            return Err(Refusal::NotPermitted(
                "the invitation is used up; ask an admin for a new one".into(),
            ));
        }
        invite.used = invite.used.saturating_add(1);
        self.enroll(moment, key, info);
        let what = Happening::DeviceAdmitted { device: key.device(), name: info.name.clone(), by: None };
        self.record(moment, what);
        Ok(Outcome::Done)
    }

    pub(crate) fn admit(&mut self, moment: Moment, by: &Name, key: &PublicKey, info: &DeviceInfo) -> Answer {
        let device = key.device();
        if self.state.devices.contains_key(&device) {
            return Ok(Outcome::Done);
        }
        self.check_new_device(key)?;
        self.enroll(moment, key, info);
        let what = Happening::DeviceAdmitted { device, name: info.name.clone(), by: Some(by.clone()) };
        self.record(moment, what);
        Ok(Outcome::Done)
    }

    fn check_new_device(&self, key: &PublicKey) -> Result<(), Refusal> {
        if self.state.revoked.contains_key(&key.device()) {
            return Err(Refusal::NotPermitted(
                "this device was revoked for good; remove its state directory to join as a new device".into(),
            ));
        }
        if self.state.devices.len() >= limits::DEVICES_MAX {
            return Err(limit("devices", limits::DEVICES_MAX));
        }
        Ok(())
    }

    pub(crate) fn enroll(&mut self, moment: Moment, key: &PublicKey, info: &DeviceInfo) {
        let record = DeviceRecord {
            key: *key,
            info: info.clone(),
            settings: DeviceSettings::default(),
            admitted: moment.time,
            attaches: 0,
            lost: None,
        };
        self.state.devices.insert(key.device(), record);
        self.place_device(key.device());
    }

    pub(crate) fn describe(&mut self, device: DeviceId, info: &DeviceInfo) -> Answer {
        let Some(record) = self.state.devices.get_mut(&device) else {
            return Err(Refusal::Bug("a device that describes itself is not enrolled".into()));
        };
        record.info = info.clone();
        self.place_device(device);
        Ok(Outcome::Done)
    }

    pub(crate) fn leave(&mut self, moment: Moment, device: DeviceId) -> Answer {
        if self.state.devices.len() <= 1 {
            return Err(Refusal::Conflict(
                "the last device of a site cannot leave it; to give the site up, remove the state directory"
                    .into(),
            ));
        }
        if self.borrowed_by(&device).next().is_some() {
            return Err(Refusal::Conflict(
                "seats are borrowed on this device; give them back with `seatkeeper return`, then leave"
                    .into(),
            ));
        }
        self.end_sessions_of(moment, device)?;
        let name = self.device_name(&device);
        self.state.devices.remove(&device);
        self.forget_machine(&MachineId::Device(device));
        self.place_device(device);
        self.state.tombstones.forget(device);
        if let Some(pool_key) = &mut self.state.pool_key {
            pool_key.sealed.remove(&device);
        }
        self.record(moment, Happening::DeviceLeft { device, name });
        Ok(Outcome::Done)
    }

    /// Shuts a device out. Its sessions stay in the books until they expire: it may be using their seats until its
    /// leases end, whatever it is told (invariant I1).
    pub(crate) fn revoke_device(&mut self, moment: Moment, by: &Name, device: &DeviceId) -> Answer {
        if self.state.revoked.contains_key(device) {
            return Ok(Outcome::Done);
        }
        if !self.state.devices.contains_key(device) {
            return Err(Refusal::NotFound(format!("device {device}")));
        }
        if self.state.devices.len() <= 1 {
            return Err(Refusal::Conflict("the last device of a site cannot be revoked".into()));
        }
        if self.state.revoked.len() >= limits::DEVICES_MAX {
            return Err(limit("revoked devices", limits::DEVICES_MAX));
        }
        let name = self.device_name(device);
        self.state.devices.remove(device);
        self.forget_machine(&MachineId::Device(*device));
        self.place_device(*device);
        self.state.memories.remove(&ActorKey::Device(*device));
        self.state.tombstones.forget(*device);
        self.end_waiting_of(moment, *device);
        self.state.revoked.insert(*device, Revoked { name: name.clone(), time: moment.time });
        if let Some(pool_key) = &mut self.state.pool_key {
            pool_key.exposed |= pool_key.sealed.remove(device).is_some();
        }
        self.give_lost_back(moment, device);
        self.record(moment, Happening::DeviceRevoked { device: *device, name, by: by.clone() });
        Ok(Outcome::Done)
    }

    pub(crate) fn set_device(
        &mut self,
        moment: Moment,
        by: &Name,
        device: &DeviceId,
        settings: &DeviceSettings,
    ) -> Answer {
        let Some(record) = self.state.devices.get_mut(device) else {
            return Err(Refusal::NotFound(format!("device {device}")));
        };
        let DeviceSettings { name, always_on, form } = settings;
        let known = &mut record.settings;
        known.name = name.clone().or_else(|| known.name.take());
        known.always_on = always_on.or(known.always_on);
        known.form = form.or(known.form);
        let name = record.name().clone();
        self.record(moment, Happening::DeviceSet { device: *device, name, by: by.clone() });
        Ok(Outcome::Done)
    }

    // Invitations.

    pub(crate) fn create_invite(
        &mut self,
        moment: Moment,
        by: &Name,
        id: InviteId,
        key: &InviteKey,
        ends: WallTime,
        uses: u32,
    ) -> Answer {
        if uses == 0 || uses > INVITE_USES_MAX {
            return Err(Refusal::Invalid(format!(
                "an invitation admits 1 to {INVITE_USES_MAX} devices, not {uses}"
            )));
        }
        if ends <= moment.time {
            return Err(Refusal::Invalid("the invitation would end before it begins".into()));
        }
        if let Some(known) = self.state.invites.get(&id) {
            let same = known.key == *key && known.ends == ends && known.uses == uses;
            let conflict = || Refusal::Conflict("there is another invitation with this id".into());
            return same.then_some(Outcome::Done).ok_or_else(conflict);
        }
        let forgotten = |invite: &Invite| moment.time >= invite.ends.plus_ms(INVITE_FORGET_AFTER_MS);
        let kept = self.state.invites.values().filter(|invite| !forgotten(invite)).count();
        if kept >= limits::INVITES_MAX {
            return Err(limit("open invitations", limits::INVITES_MAX));
        }
        self.state.invites.retain(|_, invite| !forgotten(invite));
        self.state.invites.insert(id, Invite { key: key.clone(), ends, uses, used: 0 });
        self.record(moment, Happening::InviteCreated { invite: id, uses, by: by.clone() });
        Ok(Outcome::Done)
    }

    pub(crate) fn revoke_invite(&mut self, moment: Moment, by: &Name, id: &InviteId) -> Answer {
        if self.state.invites.remove(id).is_none() {
            return Err(Refusal::NotFound(format!("invitation {id}")));
        }
        self.record(moment, Happening::InviteRevoked { invite: *id, by: by.clone() });
        Ok(Outcome::Done)
    }

    // Admins.

    pub(crate) fn add_admin(
        &mut self,
        moment: Moment,
        by: &Name,
        name: &Name,
        key: &PublicKey,
        role: AdminRole,
    ) -> Answer {
        let admin = Admin { key: *key, role };
        match self.state.admins.get(name) {
            Some(known) if *known == admin => return Ok(Outcome::Done),
            Some(_) if role != AdminRole::Admin && self.is_last_admin(name) => {
                return Err(Refusal::Conflict(format!(
                    "{name} is the last admin of this site and must stay one"
                )));
            }
            None if self.state.admins.len() >= limits::ADMINS_MAX => {
                return Err(limit("admins", limits::ADMINS_MAX));
            }
            _ => {}
        }
        self.state.admins.insert(name.clone(), admin);
        self.record(moment, Happening::AdminAdded { name: name.clone(), role, by: by.clone() });
        Ok(Outcome::Done)
    }

    pub(crate) fn remove_admin(&mut self, moment: Moment, by: &Name, name: &Name) -> Answer {
        if !self.state.admins.contains_key(name) {
            return Err(Refusal::NotFound(format!("admin {name}")));
        }
        if self.is_last_admin(name) {
            return Err(Refusal::Conflict(format!(
                "{name} is the last admin of this site and must stay one"
            )));
        }
        let removed = self
            .state
            .memories
            .iter()
            .filter(|(actor, memory)| matches!(actor, ActorKey::Admin(_)) && memory.retired.is_some());
        if removed.count() >= REMOVED_ADMINS_MAX {
            return Err(limit("removed admins", REMOVED_ADMINS_MAX));
        }
        self.state.admins.remove(name);
        // What a removed admin signed stays used up, should the same key come back.
        self.retire(moment, &ActorKey::Admin(name.clone()));
        self.record(moment, Happening::AdminRemoved { name: name.clone(), by: by.clone() });
        Ok(Outcome::Done)
    }

    fn is_last_admin(&self, name: &Name) -> bool {
        !self.state.admins.iter().any(|(other, admin)| other != name && admin.role == AdminRole::Admin)
            && self.state.admins.get(name).is_some_and(|admin| admin.role == AdminRole::Admin)
    }
}
